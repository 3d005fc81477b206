"""Every resource we write, held against R4 by HL7's own engine."""

import json
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.questionnaires.build import code_systems, questionnaires
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests.validation import findings

ROOT = Path(__file__).parents[2]
PATIENTS = sorted((ROOT / "fhir_fixtures" / "patients").glob("*.json"))
CASES = sorted((ROOT / "tests" / "spec" / "cases").glob("*.yaml"))
SERVED = {
    f"{one['resourceType']}/{one['id']}": one
    for one in [*questionnaires().values(), *code_systems().values()]
}
HERE = "http://127.0.0.1"
ORDER = json.loads((ROOT / "fhir_fixtures" / "requests" / "kp-complete.json").read_text())


def told_of(resources):
    """Return what is wrong, by resource."""
    told = {f"{one['resourceType']}/{one.get('id')}": findings(one) for one in resources}
    return {name: found for name, found in told.items() if found}


def drafts(request):
    return [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]


@pytest.mark.parametrize("name", SERVED)
def test_what_we_serve(name):
    assert findings(SERVED[name]) == []


@pytest.fixture(scope="module")
def demo():
    app = create_app(load_settings({}), open_access=True, demo=True)
    return app.test_client()


@pytest.mark.parametrize(
    "path",
    [
        "metadata",
        "Condition?patient=kp-complete-patient",
        "Coverage?patient=kp-complete-patient&_include=Coverage:payor",
        "Observation?patient=kp-complete-patient&_count=1",
        "Goal?patient=nobody",
        "Goal?patient=nobody&colour=red",
        "Patient/nobody",
        "Nothing/1",
        "Questionnaire",
        "Questionnaire?url=https://example.org/none",
        "Questionnaire/none",
        "CodeSystem",
    ],
)
def test_what_the_demos_server_answers(path, demo):
    assert findings(demo.get(f"/fhir/{path}", base_url=HERE).get_json(force=True)) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        (ORDER | {"context": ORDER["context"] | {"patientId": "nobody"}}, 422),
        (ORDER | {"fhirServer": "http://127.0.0.1:9/fhir"}, 412),
    ],
)
def test_refusals(body, status, demo):
    answer = demo.post("/cds-services/massage-order-review", json=body, base_url=HERE)
    assert answer.status_code == status
    assert findings(answer.get_json(force=True)) == []


@pytest.mark.parametrize("path", PATIENTS, ids=lambda path: path.stem)
def test_patients_of_the_demo_and_their_orders(path):
    record = json.loads(path.read_text())
    request = json.loads((path.parents[1] / "requests" / path.name).read_text())
    resources = [entry["resource"] for entry in record["entry"]]
    assert told_of([*resources, *drafts(request)]) == {}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_a_click_adds_or_changes(path, service, fhir_server):
    request = build(path.stem, read_story(path)).request
    answer = service.post(request | {"fhirServer": fhir_server.url})
    assert told_of(suggested(answer.json()["cards"])) == {}


def suggested(cards):
    actions = [
        action
        for card in cards
        for suggestion in card.get("suggestions", [])
        for action in suggestion.get("actions", [])
    ]
    return [action["resource"] for action in actions if "resource" in action]


RIGHT = {
    "resourceType": "Observation",
    "id": "right",
    "status": "final",
    "code": {"text": "Pain"},
    "subject": {"reference": "Patient/p"},
    "performer": [{"reference": "Patient/p"}],
    "effectiveDateTime": "2026-03-16",
}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": "ready"},
        {"colour": "red"},
        {"code": None},
        {"effectiveDateTime": "16.3.2026"},
        {"subject": "Patient/p"},
        {"valueQuantity": {"value": "many"}},
        {"valueQuantity": {"value": 1}, "valueString": "one"},
        {"valueQuantity": {"value": 1}, "dataAbsentReason": {"text": "not asked"}},
        {"id": "an id with spaces"},
        {"meta": {"profile": ["https://example.org/StructureDefinition/nowhere"]}},
    ],
    ids=str,
)
def test_a_seeded_fault_is_found(fault):
    assert findings(RIGHT) == []
    assert findings(RIGHT | fault)


def test_an_answer_in_the_wrong_group_is_found():
    answer = {"linkId": "satisfied", "answer": [{"valueBoolean": True}]}
    form = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "https://massage-cds.example.org/fhir/Questionnaire/member-satisfaction|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "authored": "2026-03-16T10:00:00Z",
        "item": [{"linkId": "member-satisfaction-1", "item": [answer]}],
    }
    assert findings(form) == []
    assert findings(form | {"item": [answer]})
