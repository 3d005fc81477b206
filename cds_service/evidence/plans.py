"""Plans of care: what they hold, when they end, and whether a follow-up is planned."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.record.model import Resource

FOLLOW_UP = "follow-up-assessment"
ABANDONED = frozenset({"cancelled", "stopped", "entered-in-error"})
MEANT = frozenset({"proposal", "option"})


class Activity(Struct, frozen=True):
    """An activity of a plan: codes and value sets, and when it is planned for."""

    codes: frozenset[str]
    scheduled: Days | None


class Plan(Struct, frozen=True):
    """An active plan that has not run out."""

    categories: frozenset[str]
    activities: tuple[Activity, ...]
    end: Days | None
    finding: Finding


class Plans:
    """Active plans of care on the order's date."""

    def __init__(self, facts: Facts) -> None:
        found = (
            _plan(facts, one)
            for one in facts.record.of_type("CarePlan")
            if fields.text(one, "status") == "active" and fields.text(one, "intent") not in MEANT
        )
        self.plans = [one for one in found if one.end is None or one.end.last >= facts.day]


def _plan(facts: Facts, resource: Resource) -> Plan:
    period = fields.item(resource, "period")
    end, ending = fields.first_date(facts, fields.text(period, "end"))
    start, written = fields.first_date(
        facts, fields.text(period, "start"), fields.text(resource, "created")
    )
    categories = fields.items(resource, "category")
    day = start.first if start and start.exact else None
    return Plan(
        fields.named(facts, categories),
        tuple(_activity(facts, resource, one) for one in fields.items(resource, "activity")),
        end,
        Finding(
            fields.identity(resource),
            written,
            f"ends {ending}" if ending else None,
            fields.text(resource, "title") or "Plan of care",
            day,
            via=fields.via(facts, [*categories, *_planned(resource)]),
        ),
    )


def _activity(facts: Facts, plan: Resource, resource: Resource) -> Activity:
    detail = fields.item(resource, "detail")
    named = fields.reference(fields.item(resource, "reference"))
    pointed = facts.record.resolve(named, plan) or {}
    if fields.text(detail, "status") in ABANDONED or fields.text(pointed, "status") in ABANDONED:
        return Activity(frozenset(), None)
    concepts = [
        *fields.items(detail, "code"),
        *fields.items(pointed, "code"),
        *fields.items(pointed, "serviceType"),
    ]
    repeat = fields.item(fields.item(detail, "scheduledTiming"), "repeat")
    period = fields.item(detail, "scheduledPeriod")
    scheduled, _ = fields.first_date(
        facts,
        fields.text(period, "end"),
        fields.text(period, "start"),
        fields.text(fields.item(repeat, "boundsPeriod"), "end"),
        fields.text(pointed, "start"),
        fields.text(pointed, "occurrenceDateTime"),
        _event(detail),
    )
    return Activity(fields.named(facts, concepts), scheduled)


def _planned(resource: Resource) -> list[object]:
    details = (fields.item(one, "detail") for one in fields.items(resource, "activity"))
    return [concept for detail in details for concept in fields.items(detail, "code")]


def _event(detail: Resource) -> str | None:
    """Return the last date a timing lists."""
    events = fields.item(detail, "scheduledTiming").get("event")
    dates = [one for one in events if isinstance(one, str)] if isinstance(events, list) else []
    return max(dates, default=None)


Judge = Callable[[Context, Plan], Status]


@leaf("plan", keys=("plans",))
def plan(spec: Spec) -> Leaf:
    """Ask for an active plan of a category, with an activity, with an end, with a follow-up.

    A follow-up without a date, or one whose date has passed, is not planned for certain: unknown
    for the first, not shown for the second.
    """
    judge = _judge(spec)

    def ask(context: Context) -> Answer:
        found = ((judge(context, one), one.finding) for one in context.facts.of(Plans).plans)
        return fields.answer(found, fields.holes_of(context, "plans"))

    return ask


def _judge(spec: Spec) -> Judge:
    categories = frozenset(fields.names(spec.get("category")))
    activities = frozenset(fields.names(spec.get("activity")))
    ends, follow_up = bool(spec.get("ends")), bool(spec.get("follow-up"))

    def judge(context: Context, one: Plan) -> Status:
        if (
            (categories and not categories & one.categories)
            or (activities and not any(activities & a.codes for a in one.activities))
            or (ends and one.end is None)
        ):
            return Status.NOT_MET
        return _followed(context, one) if follow_up else Status.MET

    return judge


def _followed(context: Context, one: Plan) -> Status:
    planned = [activity for activity in one.activities if FOLLOW_UP in activity.codes]
    if any(a.scheduled and a.scheduled.last >= context.facts.day for a in planned):
        return Status.MET
    return Status.UNKNOWN if any(a.scheduled is None for a in planned) else Status.NOT_MET
