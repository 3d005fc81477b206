"""The course of care that the orders would lead to."""

from __future__ import annotations

from fractions import Fraction

from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Context
from cds_service.evidence.quantities import QUANTITIES, Quantity, quantity
from cds_service.evidence.visits import KEYS, episode

DAYS_PER_WEEK = 7


@quantity("course.last-day", keys=(*KEYS, "conditions"))
def course_last_day(context: Context) -> Quantity:
    """Day of the episode on which the ordered visits end at the stated frequency."""
    day = QUANTITIES["episode.day"].of(context)
    weeks = QUANTITIES["order.weeks"].of(context)
    findings = (*day.findings, *weeks.findings)
    if day.value is None or weeks.value is None:
        return Quantity(None, findings, day.holes)
    return Quantity(day.value + Fraction(DAYS_PER_WEEK) * weeks.value, findings, day.holes)


@quantity("course.first-visit", keys=(*KEYS, "conditions"))
def course_first_visit(context: Context) -> Quantity:
    """Day of the episode of the first ordered visit; 0 where care begins with it."""
    return _ahead(context, _until_begun(context) if episode(context).anchor else 0)


@quantity("course.last-visit", keys=(*KEYS, "conditions"))
def course_last_visit(context: Context) -> Quantity:
    """Day of the episode of the last ordered visit; of the order, where care begins with it."""
    last = QUANTITIES["order.last-day"].of(context)
    if last.value is None:
        day = QUANTITIES["episode.day"].of(context)
        return Quantity(None, day.findings, day.holes)
    before = 0 if episode(context).anchor else _until_begun(context)
    return _ahead(context, last.value - before, last.findings)


def _ahead(context: Context, days: Fraction | int, findings: tuple[Finding, ...] = ()) -> Quantity:
    """Return the day of the episode so many days after the order's date."""
    day = QUANTITIES["episode.day"].of(context)
    value, low, high = (n if n is None else n + days for n in (day.value, day.low, day.high))
    return Quantity(value, (*day.findings, *findings), day.holes, low, high)


def _until_begun(context: Context) -> int:
    """Return the days until the first order begins; one that states no day may begin at once."""
    starts = [order.dose.start for order in context.group.orders]
    known = [start.last for start in starts if start and start.exact]
    if not known or len(known) < len(starts):
        return 0
    ahead: int = (min(known) - context.facts.day).days
    return max(ahead, 0)
