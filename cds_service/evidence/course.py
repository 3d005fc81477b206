"""The course of care that the orders would lead to."""

from __future__ import annotations

from fractions import Fraction

from cds_service.evidence.context import Context
from cds_service.evidence.quantities import QUANTITIES, Quantity, quantity
from cds_service.evidence.visits import KEYS

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
