"""Amounts and lengths of time: units, Durations."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.dates import Days

Range = tuple[Fraction, Fraction]
"""Least and most; both the same when the number is known."""

MOST, LEAST, PERIOD = "unit-days", "unit-days-least", "period-days"


def positive(value: object) -> Fraction | None:
    """Return an amount that can be meant; what is beyond all measure is a slip of the pen."""
    number = fields.number(value)
    if number is None:
        return None
    largest = data("scope.yaml")["largest-amount"]
    return number if Fraction(1, largest) <= number <= largest else None


def unit_days(unit: object) -> Fraction | None:
    """Return the days of a unit of time, by UCUM code or by its word."""
    return _days(unit, MOST)


def period_days(unit: object) -> Fraction | None:
    """Return the days of a unit in which it is told how often: hours, too."""
    return unit_days(unit) or _days(unit, PERIOD)


def days_of(duration: dict[str, Any]) -> Range | None:
    """Return the fewest and the most days that a Duration can mean."""
    value = positive(duration.get("value"))
    named = (fields.text(duration, "code"), fields.text(duration, "unit"))
    unit = next((one for one in named if unit_days(one)), None)
    return time_of(value, value, unit) if value else None


def time_of(least: Fraction, most: Fraction, unit: object) -> Range | None:
    """Return the fewest and the most days of some units of time."""
    days = unit_days(unit)
    return (least * (_days(unit, LEAST) or days), most * days) if days else None


def later(start: Days, length: Range) -> Days | None:
    """Return the days that lie a length of time after a start; None beyond the calendar."""
    least, most = (timedelta(days=int(days)) for days in length)
    try:
        return Days(start.first + least, start.last + most)
    except OverflowError:
        return None


def _days(unit: object, table: str) -> Fraction | None:
    known = data("timing.yaml")[table]
    days = known.get(unit.strip().lower()) if isinstance(unit, str) else None
    return Fraction(days) if days else None
