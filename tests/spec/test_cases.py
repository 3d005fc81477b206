"""Every worked case, through the service over HTTP, by both routes that an EHR may take."""

from pathlib import Path

import pytest
import yaml

import cds_service
from cds_service.policy_tests.judge import differences
from fhir_fixtures.stories import build, read_story
from tests.live import prefetch_of

LIBRARY = Path(cds_service.__file__).parent / "policies" / "library"
STORIES = {p: read_story(p) for p in sorted((Path(__file__).parent / "cases").glob("*.yaml"))}

# Their cases are written, the policies are not; whoever adds one takes it out of this list.
STILL_TO_COME = set()


def policies_of(story):
    """Return the policies that a case needs; none where nothing must apply."""
    second = story["expect"].get("secondary", {})
    needed = {story["policy"], second.get("policy", story["policy"])}
    return set() if story["expect"]["determination"] == "not-applicable" else needed


READY = [path for path, story in STORIES.items() if not policies_of(story) & STILL_TO_COME]


def test_only_policies_still_to_come_wait():
    files = [yaml.safe_load(p.read_text(encoding="utf-8")) for p in LIBRARY.glob("*.yaml")]
    held = {content["policy"] for content in files if "policy" in content}
    needed = set().union(*(policies_of(story) for story in STORIES.values()))
    assert needed - held == STILL_TO_COME


@pytest.fixture(params=READY, ids=lambda path: path.stem)
def case(request):
    story = STORIES[request.param]
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
