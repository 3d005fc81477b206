"""The same answer from a server that nobody here wrote as from our own, and from prefetch."""

import pytest

from tests.hapi.charts import (
    CASES,
    FIXTURES,
    OTHERS,
    signed_by_case,
    signed_by_fixture,
    signed_by_other,
)
from tests.live import FhirServer, prefetch_of, serve
from tests.shared import needs_shared
from tests.spec.signed import PAYERS

SIGNED = [(path, signed_by_case) for path in CASES] + [
    (path, signed_by_fixture) for path in FIXTURES
]


@pytest.fixture(params=SIGNED, ids=lambda pair: pair[0].stem)
def signed(request):
    path, read = request.param
    return read(path)


@pytest.fixture
def ours(signed):
    """Our own server with the same chart."""
    _, resources = signed
    server = FhirServer([{"entry": [{"resource": one} for one in resources]}])
    with serve(server.app) as url:
        yield f"{url}/fhir"


def test_every_route_gives_the_same_answer(signed, ours, hapi, unhurried):
    """Cards, suggestions and evaluations alike, word for word."""
    request, _ = signed
    told = answer(unhurried, request | {"fhirServer": ours})
    assert answer(unhurried, request | {"fhirServer": hapi.url}) == told
    prefetch, _ = prefetch_of(unhurried.templates(), request["context"], hapi.url)
    assert answer(unhurried, request | {"fhirServer": hapi.url, "prefetch": prefetch}) == told


def answer(service, request):
    given = service.post(request | {"extension": {"massage-cds.explain": True}})
    assert given.status_code == 200, given.text
    return given.json()


@needs_shared
@pytest.mark.parametrize("pattern", OTHERS)
def test_charts_of_others_are_read_to_the_end(pattern, hapi, unhurried):
    signed = signed_by_other(pattern)
    request = signed.request(signed.coverages[0])
    for entry in request["context"]["draftOrders"]["entry"]:
        del entry["resource"]["insurance"]
    server = FhirServer([{"entry": [{"resource": one} for one in signed.resources]}])
    with serve(server.app) as url:
        told = unhurried.evaluations(request | {"fhirServer": f"{url}/fhir"})
    assert [one["unread"] for one in told] == [[]] * len(PAYERS)
    assert by_coverage(unhurried.evaluations(request | {"fhirServer": hapi.url})) == by_coverage(
        told
    )


def by_coverage(evaluations):
    return sorted(evaluations, key=lambda one: one["coverage"])
