"""How much of a medicine is taken in a day and until when, as its structured doses state it."""

from __future__ import annotations

from datetime import date, timedelta, tzinfo
from fractions import Fraction
from math import ceil

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.timing import bounds_of, times_a_day
from cds_service.record.model import Resource

LONGEST = 3660


class Daily(Struct, frozen=True):
    """How much is taken in a day: the least and the most, the same where it is known."""

    least: Fraction
    most: Fraction
    unit: str


def daily_dose(resource: Resource) -> Daily | None:
    """Return the dose of a day; None when one is not stated in numbers."""
    steps = [[_daily(one) for one in step] for step in _steps(resource)]
    stated = [dose for step in steps for dose in step if dose]
    if not stated or len(stated) < sum(map(len, steps)) or len({unit for _, unit in stated}) > 1:
        return None
    sums = [sum((dose[0] for dose in step if dose), Fraction(0)) for step in steps]
    return Daily(min(sums), max(sums), stated[0][1])


def last_day(resource: Resource, start: Days | None, zone: tzinfo) -> date | None:
    """Return the day on which the doses end; None where one of them has no end."""
    day = start.last - timedelta(days=1) if start else None
    steps = _steps(resource)
    for step in steps:
        ends = [_end(one, day, zone) for one in step]
        known = [end for end in ends if end]
        if len(known) < len(ends):
            return None
        day = max(known)
    return day if steps else None


def _steps(resource: Resource) -> list[list[Resource]]:
    """Return the doses as they follow each other, with those that are taken together."""
    steps: list[list[Resource]] = []
    for dose in sorted(fields.items(resource, "dosageInstruction"), key=_sequence):
        if not steps or all(_follows(dose, earlier) for earlier in steps[-1]):
            steps.append([])
        steps[-1].append(dose)
    return steps


def _follows(dose: Resource, earlier: Resource) -> bool:
    """Whether a dose comes after another, as in a taper: by its number, and the other ends before.

    None follows a dose that has no end, or that ends on the same date.
    """
    if _sequence(dose) == _sequence(earlier):
        return False
    until = _until(earlier)
    return _until(dose) != until if until else bounds_of(_timing(earlier)) is not None


def _sequence(dose: Resource) -> Fraction:
    return fields.number(dose.get("sequence")) or Fraction(0)


def _timing(dose: Resource) -> Resource:
    return fields.item(dose, "timing")


def _until(dose: Resource) -> str | None:
    repeat = fields.item(_timing(dose), "repeat")
    return fields.text(fields.item(repeat, "boundsPeriod"), "end")


def _end(dose: Resource, before: date | None, zone: tzinfo) -> date | None:
    """Return the last day of a dose that begins on the day after `before`."""
    if days := parse_days(_until(dose), zone):
        return days.last
    bounds = bounds_of(_timing(dose))
    if bounds is None or before is None or bounds[1] > LONGEST:
        return None
    return before + timedelta(days=ceil(bounds[1]))


def _daily(instruction: Resource) -> tuple[Fraction, str] | None:
    rate = next(iter(fields.items(instruction, "doseAndRate")), instruction)
    given = fields.item(rate, "doseQuantity") or fields.item(fields.item(rate, "doseRange"), "high")
    amount = fields.number(given.get("value"))
    unit = fields.text(given, "code") or fields.text(given, "unit")
    often = times_a_day(fields.item(instruction, "timing"))
    if amount is None or amount < 0 or not unit or often is None:
        return None
    return amount * often, unit.lower()
