"""Every worked case, through the service over HTTP, by both routes that an EHR may take."""

from pathlib import Path

import pytest

from fhir_fixtures.stories import build, read_story
from tests.live import prefetch_of
from tests.spec.judge import differences

PATHS = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def case(request):
    story = read_story(request.param)
    return story, build(request.param.stem, story)


def test_fhir_server_alone(case, service, fhir_server):
    story, built = case
    evaluations = service.evaluations(built.request | {"fhirServer": fhir_server.url})
    assert differences(story["expect"], story["policy"], evaluations) == []


def test_prefetch_beside_it(case, service, fhir_server):
    story, built = case
    templates, context = service.templates(), built.request["context"]
    prefetch, answered = prefetch_of(templates, context, fhir_server.url)
    fhir_server.log.clear()
    body = built.request | {"fhirServer": fhir_server.url, "prefetch": prefetch}
    evaluations = service.evaluations(body)
    assert answered.isdisjoint(fhir_server.log), "what prefetch holds was asked for again"
    assert differences(story["expect"], story["policy"], evaluations) == []
