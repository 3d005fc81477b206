"""What the safety screen's answers do to a safety rule, and what lifts a contraindication."""

from datetime import timedelta

import pytest

from cds_service.evidence import allergies  # noqa: F401 (registers)
from cds_service.policies.compiler import Compiler
from cds_service.policies.safety import raise_rule
from tests.unit.evidence_help import BASE, DAY, ICD, ago, coded, context

EVIDENCE = [
    {"grade": "P", "is": {"condition": {"in": ["injury"], "use": "history"}}},
    {"grade": "Q", "is": {"screen": {"item": "RULE", "answer": "yes"}}},
]
EMERGENCY = [{"else": "ED-now", "effect": "stop"}]
PROMPT_STOP = [{"else": "PCP-prompt", "effect": "stop"}]
PROMPT_HOLD = [{"else": "PCP-prompt", "effect": "hold"}]
SURE = [{"grade": "S", "is": {"condition": {"in": ["injury"], "use": "history"}}}]


def found(resources, evidence, judge, acknowledged=(), unread=()):
    rule = {"text": "Injury", "source": "none", "evidence": evidence, "judge": judge}
    data = {"policy": "p", "criteria": {"A": {"all": []}}, "root": "A", "safety": {"RULE": rule}}
    compiler = Compiler(data, {}, {})
    (compiled,) = compiler._safety(compiler.scope, data["safety"], "p")
    order = {"resourceType": "ServiceRequest", "id": "o", "status": "draft", "code": coded("97124")}
    asked = context(*resources, orders=(order,), unread=unread)
    asked.acknowledged = dict(acknowledged)
    return raise_rule(compiled, asked)


def raised(resources, evidence=EVIDENCE, judge=EMERGENCY, acknowledged=()):
    listed = found(resources, evidence, judge, acknowledged).judged
    return [(judged.sighting.grade, judged.effect) for judged in listed]


def holes_of(evidence):
    return [hole.key for hole in found([], evidence, EMERGENCY, unread=("family",)).holes]


def injury(days):
    code = coded("S39.012A", ICD)
    return {"resourceType": "Condition", "code": code, "recordedDate": ago(days)}


def screen(days, answer):
    system = f"{BASE}/CodeSystem/screen-answers"
    coding = {"system": system, "code": answer}
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": f"{BASE}/Questionnaire/massage-safety-screen|1.0.0",
        "authored": ago(days),
        "item": [{"linkId": "RULE", "answer": [{"valueCoding": coding}]}],
    }


def visit(days):
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "type": [coded("office-visit", f"{BASE}/CodeSystem/encounter-types")],
        "period": {"start": ago(days)},
        "reasonCode": [coded("S39.012A", ICD)],
    }


def test_partial_evidence_holds_and_never_stops():
    assert raised([injury(5)]) == [("P", "hold")]


def test_yes_on_the_screen_is_sufficient_evidence():
    assert raised([screen(1, "yes")]) == [("S", "stop")]


@pytest.mark.parametrize("answer", ["no", "unknown"])
def test_other_answers_raise_nothing_by_themselves(answer):
    assert raised([screen(1, answer)]) == []


@pytest.mark.parametrize(
    ("injured", "screened", "settled"), [(5, 1, True), (1, 1, True), (0, 1, False)]
)
def test_no_settles_partial_evidence_that_is_not_newer(injured, screened, settled):
    assert (raised([injury(injured), screen(screened, "no")]) == []) is settled


def test_no_of_an_old_screen_settles_nothing():
    assert raised([injury(40), screen(31, "no")]) == [("P", "hold")]


def test_no_never_settles_sufficient_evidence():
    evidence = [*SURE, EVIDENCE[1]]
    assert raised([injury(5), screen(1, "no")], evidence) == [("S", "stop")]


def test_a_review_or_an_acknowledgement_does_not_lift_what_rules_massage_out():
    resources = [injury(5), visit(1)]
    assert raised(resources, SURE, PROMPT_STOP, {"RULE": DAY}) == [("S", "stop")]


@pytest.mark.parametrize(("answered", "effect"), [(6, "hold"), (5, "none"), (4, "none")])
def test_an_acknowledgement_counts_until_newer_evidence_appears(answered, effect):
    when = {"RULE": DAY - timedelta(days=answered)}
    assert raised([injury(5)], SURE, PROMPT_HOLD, when) == [("S", effect)]


def test_a_review_lifts_a_prompt_hold():
    assert raised([injury(5), visit(1)], SURE, PROMPT_HOLD) == [("S", "none")]


def test_evidence_of_a_mere_caution_that_was_not_read_opens_nothing():
    family = {"family-history": {"in": ["cancer-family-history"]}}
    assert holes_of([{"grade": "P", "is": family}]) == ["family"]
    assert holes_of([{"grade": "P", "is": family, "minor": True}]) == []
