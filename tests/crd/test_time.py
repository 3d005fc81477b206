"""A client's FHIR server that hangs costs an answer what it could not read, never the time."""

import time

import pytest

from cds_service.settings import load_settings
from tests.crd import ehr
from tests.crd.rules import breaches, part, text_of
from tests.http.fault_server import serving, slow

LIMIT = 5.0  # seconds that CRD allows for 90 % of calls
DEADLINE = 0.3


@pytest.fixture
def hanging():
    with serving({"*": slow(20)}) as server:
        yield f"http://127.0.0.1:{server.server_port}/fhir"


def timed(body, **more):
    began = time.monotonic()
    answer = ehr.call(body, **more)
    return answer, time.monotonic() - began


def test_the_setting_leaves_room_within_the_limit():
    assert load_settings({}).deadline <= 0.9 * LIMIT


@pytest.mark.parametrize("version", ehr.VERSIONS)
def test_what_could_not_be_read_in_time_is_told_in_time(hanging, version):
    held = ehr.prefetch_of(ehr.resources("kp-01"))
    body = ehr.request_of("kp-01") | {"fhirServer": hanging}
    body["prefetch"] = {key: held[key] for key in ("patient", "coverage")}
    client = ehr.app(DEADLINE=str(DEADLINE)).test_client()
    answer, took = timed(body, version=version, client=client)
    told = ehr.only(answer)
    assert took < 2
    assert part(told, "covered") == ("indeterminate" if version == "2.2" else "conditional")
    assert "could not be read" in text_of(told)
    assert breaches(told, version) == []


def test_no_coverage_in_time_is_a_failed_precondition(hanging):
    body = ehr.request_of("kp-01") | {"fhirServer": hanging, "prefetch": {}}
    client = ehr.app(DEADLINE=str(DEADLINE)).test_client()
    _, took = timed(body, client=client, status=412)
    assert took < 2
