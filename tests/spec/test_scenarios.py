"""Every scenario of the demo comes out as its story says."""

import pytest

from cds_service.policy_tests.judge import differences
from fhir_fixtures.generate import scenarios
from tests.live import FhirServer, serve

SCENARIOS = {built.name: (story, built) for story, built in scenarios()}


@pytest.fixture(scope="module")
def demo_records():
    server = FhirServer([built.record for _, built in SCENARIOS.values()])
    with serve(server.app) as url:
        yield f"{url}/fhir"


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name, service, demo_records):
    story, built = SCENARIOS[name]
    evaluations = service.evaluations(built.request | {"fhirServer": demo_records})
    assert differences(story["expect"], story["policy"], evaluations) == []


def test_what_could_not_be_read_blocks_nothing(service, demo_records):
    _, built = SCENARIOS["messy-unread-therapist"]
    body = built.request | {"fhirServer": demo_records}
    (made,) = service.evaluations(body)
    assert made["unread"] == [{"query": "PractitionerRole", "reason": "http-404"}]
    assert not [item for item in made["missing"] if item["blocking"]]
    (card,) = service.post(body).json()["cards"]
    assert "could not be read: a practitioner's role (not on file)" in card["summary"]
