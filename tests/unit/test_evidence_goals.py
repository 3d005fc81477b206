"""Goals of care."""

from __future__ import annotations

import pytest

from cds_service.evidence import goals  # noqa: F401
from tests.unit.evidence_facts import order
from tests.unit.evidence_help import BASE, LOINC, ago, ask, coded, odd, status, visit

TARGET = {
    "measure": coded("97909-6", LOINC),
    "detailQuantity": {"value": 20, "comparator": "<="},
    "dueDate": ago(-28),
}

TODAY = ago(0)


def goal(category="functional", achieved=None, start=TODAY, targets=(TARGET,), **more):
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "category": [coded(category, f"{BASE}/CodeSystem/plan-codes")],
        "achievementStatus": coded(achieved, "a") if achieved else None,
        "startDate": start,
        "target": list(targets),
        **more,
    }


def asks(spec, *resources, **about):
    return status("goal", spec, *resources, **about)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("active", "met"),
        ("proposed", "met"),
        ("completed", "met"),
        ("cancelled", "not-met"),
        ("rejected", "not-met"),
        ("entered-in-error", "not-met"),
    ],
)
def test_dropped_goals_do_not_count(state, found):
    assert asks({"category": "functional"}, goal(lifecycleStatus=state)) == found


def test_category():
    assert asks({"category": ["comfort", "functional"]}, goal()) == "met"
    assert asks({"category": ["maintenance"]}, goal()) == "not-met"
    assert asks({}, goal(category="x")) == "met"


def without(*names, **more):
    return {**{key: value for key, value in TARGET.items() if key not in names}, **more}


@pytest.mark.parametrize(
    ("target", "measurable", "dated"),
    [
        (TARGET, "met", "met"),
        (without("dueDate"), "met", "not-met"),
        (without("measure"), "not-met", "met"),
        (without("detailQuantity"), "not-met", "met"),
        (without("detailQuantity", detailString="walk more"), "not-met", "met"),
        (without("detailQuantity", detailInteger=3), "met", "met"),
        (without("detailQuantity", detailRange={"high": {"value": 4}}), "met", "met"),
        (without("dueDate", dueDuration={"value": 4, "code": "wk"}), "met", "met"),
        (without("dueDate", dueDuration={"value": 3, "unit": "months"}), "met", "met"),
        (without("dueDate", dueDuration={"value": 9999, "unit": "years"}), "met", "not-met"),
        ({}, "not-met", "not-met"),
    ],
)
def test_measurable_and_dated_targets(target, measurable, dated):
    assert asks({"measurable": True}, goal(targets=[target])) == measurable
    assert asks({"dated": True}, goal(targets=[target])) == dated


def test_one_target_must_be_both_measurable_and_dated():
    halves = [without("dueDate"), without("measure")]
    assert asks({"measurable": True, "dated": True}, goal(targets=halves)) == "not-met"


@pytest.mark.parametrize(
    ("due", "found"),
    [
        (ago(-28), "met"),
        (ago(-29), "not-met"),
        (ago(0), "met"),
        (ago(1), "not-met"),
        ("2026-04", "unknown"),
    ],
)
def test_due_within_days_of_the_order(due, found):
    target = without(dueDate=due)
    assert asks({"due": {"within": 28}}, goal(targets=[target])) == found


def test_achievement_of_any_and_of_all():
    done, open_ = goal(achieved="achieved"), goal(achieved="improving")
    spec = {"achievement": ["achieved"]}
    assert asks(spec, done, open_) == "met"
    assert asks({**spec, "which": "all"}, done, open_) == "not-met"
    assert asks({**spec, "which": "all"}, done, goal(achieved="achieved")) == "met"
    assert asks({**spec, "which": "all"}, done, goal()) == "not-met"
    assert asks({**spec, "which": "all"}) == "not-met"
    assert asks({**spec, "which": "all"}, done, unread=("goals",)) == "unknown"


@pytest.mark.parametrize(
    ("start", "before", "since"),
    [
        (ago(20), "met", "not-met"),
        (ago(10), "met", "not-met"),
        (ago(9), "not-met", "met"),
        (None, "unknown", "unknown"),
        ("2026", "unknown", "unknown"),
    ],
)
def test_goals_set_before_care_and_since(start, before, since):
    record = [goal(start=start), visit(ago(10))]
    assert asks({"started": "before-care"}, *record) == before
    assert asks({"started": "since-care"}, *record) == since


@pytest.mark.parametrize(
    ("start", "expected"),
    [(ago(9), "met"), (ago(100), "met"), (ago(101), "not-met"), (None, "unknown")],
)
def test_goals_of_this_course_are_set_no_longer_before_it_than_courses_lie_apart(start, expected):
    record = [goal(start=start), visit(ago(10))]
    assert asks({"started": "this-course"}, *record) == expected
    first = "not-met" if start == ago(9) else expected
    assert asks({"started": "before-care"}, *record) == first


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "met"),
        ({"achieved": "improving"}, "met"),
        ({"achieved": "achieved"}, "not-met"),
        ({"lifecycleStatus": "completed"}, "not-met"),
        ({"lifecycleStatus": "on-hold"}, "met"),
    ],
)
def test_goals_that_are_open(more, expected):
    assert asks({"open": True, "measurable": True}, goal(**more)) == expected


def test_a_goal_in_words_alone_counts_by_its_day_too():
    spec = {"category": ["functional"], "uncoded": True, "started": "before-care"}
    words = goal(start=ago(5), targets=()) | {"category": []}
    assert asks(spec, words, visit(ago(10))) == "not-met"
    assert asks({**spec, "started": "since-care"}, words, visit(ago(10))) == "unknown"


def test_before_care_has_begun_every_goal_is_an_initial_one():
    assert asks({"started": "before-care"}, goal(start=ago(1))) == "met"
    assert asks({"started": "before-care"}, goal(start=None)) == "met"
    assert asks({"started": "since-care"}, goal(start=ago(1))) == "not-met"


@pytest.mark.parametrize("care", [[], [visit(ago(10))]], ids=["no visit read", "a visit read"])
@pytest.mark.parametrize("key", ["procedures", "encounters"])
def test_visits_that_were_not_read_could_only_make_the_course_begin_earlier(care, key):
    def told(started, start):
        return asks({"started": started}, goal(start=start), *care, unread=(key,))

    assert told("before-care", ago(20)) == told("since-care", ago(20)) == "unknown"
    assert told("before-care", ago(900)) == told("this-course", ago(900)) == "unknown"
    assert told("since-care", ago(9)) == ("met" if care else "unknown")
    assert told("this-course", ago(9)) == ("met" if care else "unknown")


def test_evidence_and_holes():
    (finding,) = ask("goal", {"measurable": True}, goal(id="g", achieved="improving")).findings
    assert (finding.reference, finding.date) == ("Goal/g", ago(0))
    assert finding.value == f"improving, due {ago(-28)}"
    assert asks({}, unread=("goals",)) == "unknown"
    assert asks({}, goal(), unread=("goals",)) == "met"
    assert asks({"category": "comfort"}, goal(), unread=("procedures",)) == "not-met"


def test_odd_goals_cost_only_themselves():
    names = ("lifecycleStatus", "category", "achievementStatus", "startDate", "target")
    record = odd("Goal", *names)
    nested = [goal(targets=[{name: value}]) for name in TARGET for value in (7, [], "x", {})]
    assert asks({"measurable": True, "dated": True}, *record, *nested) == "not-met"
    assert asks({"measurable": True}, *record, *nested, goal()) == "met"


def of_words(**more):
    return goal(category="x", **more) | {"category": []}


def measured_by(code):
    return {**TARGET, "measure": coded(code, LOINC)}


def condition(name, code):
    return {
        "resourceType": "Condition",
        "id": name,
        "code": coded(code, "http://hl7.org/fhir/sid/icd-10-cm"),
    }


def addressing(*names):
    return {"addresses": [{"reference": f"Condition/{name}"} for name in names]}


@pytest.mark.parametrize(
    ("one", "found"),
    [
        pytest.param(of_words(targets=[measured_by("4548-4")]), "not-met", id="blood-sugar"),
        pytest.param(of_words(targets=[measured_by("29463-7")]), "not-met", id="weight"),
        pytest.param(of_words(targets=[measured_by("97909-6")]), "met", id="oswestry"),
        pytest.param(
            of_words(targets=[measured_by("29463-7"), TARGET]), "met", id="weight-and-oswestry"
        ),
        pytest.param(of_words(targets=[measured_by("99999-9")]), "met", id="measure-not-known"),
        pytest.param(goal(targets=[measured_by("29463-7")]), "met", id="weight-in-our-category"),
        pytest.param(goal() | {"category": [coded("dietary", "g")]}, "not-met", id="dietary"),
        pytest.param(
            goal() | {"category": [coded("dietary", "g"), coded("behavioral", "g")]},
            "met",
            id="dietary-and-behavioral",
        ),
        pytest.param(of_words(**addressing("sugar")), "not-met", id="for-diabetes"),
        pytest.param(of_words(**addressing("back")), "met", id="for-back-pain"),
        pytest.param(of_words(**addressing("sugar", "back")), "met", id="for-both"),
        pytest.param(of_words(**addressing("gone")), "met", id="for-one-not-read"),
        pytest.param(goal(**addressing("sugar")), "met", id="for-diabetes-in-our-category"),
    ],
)
def test_goals_of_other_care_are_none(one, found):
    record = [condition("sugar", "E11.9"), condition("back", "M54.50")]
    assert asks({"measurable": True}, one, *record) == found


def test_a_goal_for_the_reason_is_of_this_care_whatever_it_is():
    known = condition("sugar", "E11.9")
    by_reference = {"reasonReference": [{"reference": "Condition/sugar"}]}
    by_code = {"reasonCode": [known["code"]]}
    one = of_words(**addressing("sugar"))
    assert asks({"measurable": True}, one, known, orders=(order(**by_reference),)) == "met"
    assert asks({"measurable": True}, one, known, orders=(order(**by_code),)) == "met"
