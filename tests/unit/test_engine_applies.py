"""Rules that speak of some orders only, evidence under a condition, and answers left aside."""

import pytest

from cds_service.policies.compiler import Compiler
from cds_service.policies.safety import raise_rule
from tests.unit.evidence_help import DAY, ICD, ago, coded, context

ORDER = {
    "resourceType": "ServiceRequest",
    "id": "o",
    "status": "draft",
    "authoredOn": DAY.isoformat(),
    "code": coded("97124"),
    "reasonCode": [coded("M54.2", ICD)],
}
FEVER = {"condition": {"in": ["fever"], "use": "safety"}}
UNCONFIRMED = {"verificationStatus": coded("provisional", "http://hl7.org/fhir")}
NECK = {"reason": {"in": ["neck-pain"]}}
HIP = {"reason": {"in": ["hip-pain"]}}


def fever(days=1, **more):
    code = coded("R50.9", ICD)
    active = {"clinicalStatus": coded("active", "http://hl7.org/fhir")}
    made = {"resourceType": "Condition", "id": "f", "code": code, "recordedDate": ago(days)}
    return made | active | more


def raised(rule, *resources, order=ORDER, unread=()):
    rule = {
        "text": "Fever",
        "source": "none",
        "judge": [{"else": "ED-now", "effect": "stop"}],
    } | rule
    data = {"policy": "p", "criteria": {"A": {"all": []}}, "root": "A", "safety": {"R": rule}}
    compiler = Compiler(data, {}, {})
    (compiled,) = compiler._safety(compiler.scope, data["safety"], "p")
    found = raise_rule(compiled, context(*resources, orders=(order,), unread=unread))
    return [(one.sighting.grade, one.effect) for one in found.judged]


@pytest.mark.parametrize(("applies", "found"), [(NECK, [("S", "stop")]), (HIP, [])])
def test_a_rule_raises_nothing_for_orders_it_does_not_speak_of(applies, found):
    evidence = [{"grade": "S", "is": FEVER}]
    assert raised({"applies": applies, "evidence": evidence}, fever()) == found


def test_where_nobody_can_tell_a_rule_speaks_of_the_order():
    order = ORDER | {"reasonCode": [{"text": "pain"}]}
    evidence = [{"grade": "S", "is": FEVER}]
    rule = {"applies": HIP, "evidence": evidence}
    assert raised(rule, fever(), order=order) == [("S", "stop")]


@pytest.mark.parametrize(
    ("when", "found"),
    [(NECK, [("S", "stop")]), (HIP, []), ({"not": HIP}, [("S", "stop")])],
)
def test_evidence_counts_only_where_its_condition_holds(when, found):
    assert raised({"evidence": [{"grade": "S", "is": FEVER, "when": when}]}, fever()) == found


def test_a_condition_nobody_can_tell_leaves_partial_evidence():
    order = ORDER | {"reasonCode": [{"text": "pain"}]}
    rule = {"evidence": [{"grade": "S", "is": FEVER, "when": HIP}]}
    assert raised(rule, fever(), order=order) == [("P", "hold")]


def outcome(entry, *resources, unread=()):
    criteria = {"A": {"text": "A", "source": "none", **entry}}
    items = {"I": {"text": "I", "source": "none"}}
    compiler = Compiler({"policy": "p", "criteria": criteria, "root": "A", "items": items}, {}, {})
    (made,) = compiler._criteria().values()
    return made.body(context(*resources, orders=(ORDER,), unread=unread), lambda _: None)


DOCUMENTED = {"documented": {"condition": {"in": ["fever"]}}}


@pytest.mark.parametrize(
    ("blocking", "unread", "weight", "asks", "advises"),
    [
        (HIP, (), "not-applicable", (), ("A",)),
        (HIP, ("conditions",), "not-applicable", (), ()),
        (NECK, (), "unknown", ("A",), ()),
        (NECK, ("conditions",), "unknown", (), ()),
    ],
)
def test_what_may_be_documented_weighs_only_where_it_blocks(
    blocking, unread, weight, asks, advises
):
    entry = DOCUMENTED | {"blocking": blocking}
    found = outcome(entry, fever(**UNCONFIRMED), unread=unread)
    assert (found.status, found.weight) == ("unknown", weight)
    assert (found.asks, found.advises) == (asks, advises)


EXCLUDED = [{"when": {"condition": {"in": ["fever"]}}, "is": "not-met"}, {"else": "met"}]


@pytest.mark.parametrize(
    ("resources", "unread", "status", "weight"),
    [
        ([], (), "met", "met"),
        ([fever()], (), "not-met", "not-met"),
        ([fever(**UNCONFIRMED)], (), "unknown", "not-applicable"),
        ([], ("conditions",), "unknown", "unknown"),
    ],
)
def test_only_a_definite_answer_counts(resources, unread, status, weight):
    found = outcome({"decide": EXCLUDED, "definite": True}, *resources, unread=unread)
    assert (found.status, found.weight) == (status, weight)


def test_what_a_definite_criterion_would_ask_is_advice():
    decide = [*EXCLUDED[:1], {"else": "unknown", "asks": ["I"]}]
    found = outcome({"decide": decide, "definite": True})
    assert (found.asks, found.advises) == ((), ("I",))


@pytest.mark.parametrize(
    ("unread", "weight"), [((), "not-applicable"), (("conditions",), "unknown")]
)
def test_a_question_left_aside_stays_aside_when_rows_above_it_are_open(unread, weight):
    rows = [*EXCLUDED[:1], {"else": "unknown", "aside": True}]
    found = outcome({"decide": rows}, fever(**UNCONFIRMED), unread=unread)
    assert (found.status, found.weight) == ("unknown", weight)
