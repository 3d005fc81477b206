"""Encounters and services."""

from __future__ import annotations

import pytest

from cds_service.evidence import encounters  # noqa: F401
from tests.unit.evidence_help import BASE, CPT, ICD, ago, ask, coded, odd, status, visit

TYPES = f"{BASE}/CodeSystem/encounter-types"
NUCC = "http://nucc.org/provider-taxonomy"


def encounter(day, kind="office-visit", state="finished", people=("Practitioner/a",), **more):
    return {
        "resourceType": "Encounter",
        "status": state,
        "type": [coded(kind, TYPES)],
        "period": {"start": day, "end": day},
        "participant": [{"individual": {"reference": one}} for one in people],
        **more,
    }


def asks(spec, *resources, **about):
    return status("encounter", spec, *resources, **about)


def test_kind():
    assert asks({"in": ["office-visit"]}, encounter(ago(1))) == "met"
    assert asks({"in": ["emergency-visit"]}, encounter(ago(1))) == "not-met"


@pytest.mark.parametrize(
    ("state", "finished", "any_"),
    [
        ("finished", "met", "met"),
        ("in-progress", "not-met", "met"),
        ("planned", "not-met", "met"),
        ("cancelled", "not-met", "not-met"),
        ("entered-in-error", "not-met", "not-met"),
    ],
)
def test_status(state, finished, any_):
    assert asks({"in": ["office-visit"]}, encounter(ago(1), state=state)) == finished
    spec = {"in": ["office-visit"], "status": "any"}
    assert asks(spec, encounter(ago(1), state=state)) == any_


@pytest.mark.parametrize(
    ("day", "found"),
    [(ago(365), "met"), (ago(366), "not-met"), (ago(-1), "not-met"), ("2025-03", "unknown")],
)
def test_age(day, found):
    assert asks({"within": 365}, encounter(day)) == found


@pytest.mark.parametrize(("age", "found"), [(9, "met"), (10, "not-met")])
def test_since_the_first_visit(age, found):
    assert asks({"since": "anchor"}, encounter(ago(age)), visit(ago(10))) == found


ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "practitioner": {"reference": "Practitioner/a"},
    "code": [coded("207Q00000X", NUCC)],
}


def order(requester):
    return {"resourceType": "ServiceRequest", "requester": {"reference": requester}}


@pytest.mark.parametrize(
    ("requester", "people", "found"),
    [
        ("Practitioner/a", ["Practitioner/a"], "met"),
        ("PractitionerRole/role", ["Practitioner/a"], "met"),
        ("Practitioner/a", ["PractitionerRole/role"], "met"),
        ("https://ehr.example.org/fhir/Practitioner/a", ["Practitioner/a"], "met"),
        ("Practitioner/b", ["Practitioner/a"], "not-met"),
        ("Practitioner/a", [], "unknown"),
        (None, ["Practitioner/a"], "unknown"),
    ],
)
def test_with_the_one_who_orders(requester, people, found):
    record = [encounter(ago(1), people=people), ROLE]
    assert asks({"with": "requester"}, *record, orders=(order(requester),)) == found


DOCTOR = {"resourceType": "Practitioner", "id": "a"}


def test_with_a_role():
    assert asks({"with-role": ["role-primary-care"]}, encounter(ago(1)), ROLE, DOCTOR) == "met"
    assert asks({"with-role": ["role-oncologist"]}, encounter(ago(1)), ROLE, DOCTOR) == "not-met"


def test_reason_by_code_reference_and_diagnosis():
    clot = {"resourceType": "Condition", "id": "clot", "code": coded("I82.401", ICD)}
    point = {"reference": "Condition/clot"}
    spec = {"reason-in": ["blood-clot"]}
    assert asks(spec, encounter(ago(1), reasonCode=[coded("I82.401", ICD)])) == "met"
    assert asks(spec, encounter(ago(1), reasonReference=[point]), clot) == "met"
    assert asks(spec, encounter(ago(1), diagnosis=[{"condition": point}]), clot) == "met"
    assert asks(spec, encounter(ago(1)), clot) == "not-met"


def test_evidence_and_holes():
    (finding,) = ask("encounter", {}, encounter(ago(1), id="e")).findings
    assert (finding.reference, finding.date, finding.value) == ("Encounter/e", ago(1), "finished")
    assert finding.text == "office-visit"
    assert asks({}, unread=("encounters",)) == "unknown"
    assert asks({}, encounter(ago(1)), unread=("encounters",)) == "met"


def procedure(day, code="97110", state="completed"):
    return {
        "resourceType": "Procedure",
        "status": state,
        "code": coded(code, CPT),
        "performedDateTime": day,
    }


def request(day, state="active", **more):
    return {
        "resourceType": "ServiceRequest",
        "status": state,
        "code": coded("97110", CPT),
        "authoredOn": day,
        **more,
    }


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        (encounter(ago(5), "physical-therapy"), "met"),
        (encounter(ago(5), "physical-therapy", "planned"), "not-met"),
        (encounter(ago(5), "office-visit"), "not-met"),
        (procedure(ago(5)), "met"),
        (procedure(ago(5), state="not-done"), "not-met"),
        (procedure(ago(-5)), "not-met"),
        (request(ago(5)), "met"),
        (request(ago(5), "completed"), "met"),
        (request(ago(5), "draft"), "not-met"),
        (request(ago(5), "revoked"), "not-met"),
        (request(ago(5), doNotPerform=True), "not-met"),
    ],
)
def test_a_service_in_any_resource(resource, found):
    assert status("service", {"in": ["physical-therapy"]}, dict(resource)) == found


def test_a_service_before_the_order_and_within_days():
    spec = {"in": ["physical-therapy"], "before-order": True}
    assert status("service", spec, procedure(ago(1))) == "met"
    assert status("service", spec, procedure(ago(0))) == "not-met"
    within = {"in": ["physical-therapy"], "within": 365}
    assert status("service", within, procedure(ago(365))) == "met"
    assert status("service", within, procedure(ago(366))) == "not-met"
    assert status("service", within, unread=("orders",)) == "unknown"


def test_the_order_itself_is_no_service_of_the_record():
    draft = request(ago(1), id="draft")
    assert status("service", {"in": ["physical-therapy"]}, draft, orders=(draft,)) == "not-met"


def test_odd_resources_cost_only_themselves():
    names = ("status", "type", "class", "period", "participant", "reasonCode", "diagnosis", "code")
    record = [
        one for kind in ("Encounter", "Procedure", "ServiceRequest") for one in odd(kind, *names)
    ]
    for one in record:
        one.setdefault("status", "finished" if one["resourceType"] == "Encounter" else "active")
    spec = {"in": ["office-visit"], "with": "requester", "within": 9, "reason-in": ["pain"]}
    assert asks(spec, *record, orders=(None, {"requester": 4})) == "not-met"
    assert status("service", {"in": ["physical-therapy"]}, *record) == "not-met"


def test_what_it_diagnosed_and_not_only_its_reason():
    fact = {
        "resourceType": "Condition",
        "id": "c",
        "code": coded("M54.50", ICD),
    }
    diagnosed = encounter(ago(1), diagnosis=[{"condition": {"reference": "Condition/c"}}])
    seen_for = encounter(ago(1), reasonCode=[coded("M54.50", ICD)])
    spec = {"diagnosis-in": ["back-pain"]}
    assert asks(spec, diagnosed, fact) == "met"
    assert asks(spec, seen_for) == "not-met"
    assert asks({"reason-in": ["back-pain"]}, diagnosed, fact) == "met"


US_CORE = "http://terminology.hl7.org/CodeSystem"


def told(encounter_id="e", category="encounter-diagnosis", verification="confirmed"):
    return {
        "resourceType": "Condition",
        "id": "c",
        "category": [coded(category, f"{US_CORE}/condition-category")],
        "verificationStatus": coded(verification, f"{US_CORE}/condition-ver-status"),
        "code": coded("E11.9", ICD),
        "encounter": {"reference": f"Encounter/{encounter_id}"},
    }


@pytest.mark.parametrize("word", ["reason-in", "diagnosis-in"])
def test_a_diagnosis_that_names_its_encounter(word):
    spec, seen = {word: ["diabetes"]}, encounter(ago(1), id="e")
    assert asks(spec, seen, told()) == "met"
    assert asks(spec, seen, told(encounter_id="other")) == "not-met"
    assert asks(spec, seen, told(category="problem-list-item")) == "not-met"
    assert asks(spec, seen, told(verification="provisional")) == "not-met"
    assert asks(spec, seen, told(verification="refuted")) == "not-met"
    assert asks(spec, seen, {**told(), "subject": {"reference": "Patient/other"}}) == "not-met"
    assert asks(spec, seen, unread=("conditions",)) == "unknown"
