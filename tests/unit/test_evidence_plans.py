"""Plans of care."""

from __future__ import annotations

import pytest

from cds_service.evidence import plans  # noqa: F401
from tests.unit.evidence_help import BASE, CPT, ago, ask, coded, odd, status

PLAN = f"{BASE}/CodeSystem/plan-codes"
RELEASE = ago(-28)


def plan(*activities, category="assess-plan", end=RELEASE, **more):
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "category": [coded(category, PLAN)],
        "period": {"start": ago(1), "end": end},
        "activity": list(activities),
        **more,
    }


def activity(code="self-management", system=PLAN, **detail):
    return {"detail": {"code": coded(code, system), **detail}}


def asks(spec, *resources, **about):
    return status("plan", spec, *resources, **about)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, "met"),
        ({"status": "completed"}, "not-met"),
        ({"status": "draft"}, "not-met"),
        ({"intent": "proposal"}, "not-met"),
        ({"period": {"end": ago(0)}}, "met"),
        ({"period": {"end": ago(1)}}, "not-met"),
        ({"period": None}, "met"),
    ],
)
def test_only_plans_that_run_count(change, found):
    assert asks({}, plan() | change) == found


def test_category_and_activity():
    assert asks({"category": "assess-plan"}, plan()) == "met"
    assert asks({"category": "rehabilitation"}, plan()) == "not-met"
    assert asks({"activity": "self-management"}, plan(activity())) == "met"
    assert asks({"activity": ["97124"]}, plan(activity("97124", CPT))) == "met"
    assert asks({"activity": ["massage-procedure"]}, plan(activity("97124", CPT))) == "met"
    assert asks({"activity": "self-management"}, plan()) == "not-met"
    cancelled = plan(activity(status="cancelled"))
    assert asks({"activity": "self-management"}, cancelled) == "not-met"


def test_the_end_of_care():
    assert asks({"ends": True}, plan()) == "met"
    assert asks({"ends": True}, plan(end=None)) == "not-met"


@pytest.mark.parametrize(
    ("scheduled", "found"),
    [
        ({"scheduledPeriod": {"start": ago(-40)}}, "met"),
        ({"scheduledPeriod": {"start": ago(0), "end": ago(0)}}, "met"),
        ({"scheduledPeriod": {"start": ago(1), "end": ago(1)}}, "not-met"),
        ({"scheduledTiming": {"event": [ago(9), ago(-9)]}}, "met"),
        ({}, "unknown"),
    ],
)
def test_a_follow_up_is_planned_for_a_day_to_come(scheduled, found):
    follow_up = activity("follow-up-assessment", **scheduled)
    assert asks({"follow-up": True}, plan(follow_up)) == found


def test_without_such_an_activity_no_follow_up_is_planned():
    assert asks({"follow-up": True}, plan(activity())) == "not-met"


def test_an_activity_in_its_own_resource():
    appointment = {
        "resourceType": "Appointment",
        "id": "a",
        "status": "booked",
        "serviceType": [coded("follow-up-assessment", PLAN)],
        "start": f"{ago(-9)}T10:00:00-04:00",
    }
    pointing = plan({"reference": {"reference": "Appointment/a"}})
    assert asks({"follow-up": True}, pointing, appointment) == "met"
    assert asks({"follow-up": True}, pointing, appointment | {"status": "cancelled"}) == "not-met"


def test_evidence_and_holes():
    (finding,) = ask("plan", {}, plan(id="c")).findings
    assert (finding.reference, finding.date) == ("CarePlan/c", ago(1))
    assert finding.value == f"ends {ago(-28)}"
    assert finding.text
    assert asks({}, unread=("plans",)) == "unknown"
    assert asks({}, plan(), unread=("plans",)) == "met"


def test_odd_plans_cost_only_themselves():
    record = odd("CarePlan", "status", "intent", "category", "period", "activity", "title")
    for one in record:
        one.setdefault("status", "active")
    inner = [plan({"detail": value}) for value in (7, [], {"code": 7}, {"scheduledTiming": []})]
    assert asks({"activity": "x"}, *record, *inner) == "not-met"
    assert asks({"follow-up": True}, *record, *inner) == "not-met"
