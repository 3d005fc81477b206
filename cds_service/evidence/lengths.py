"""How long something is ordered for, in days: durations, and the bounds of a Timing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data


def positive(value: object) -> Fraction | None:
    """Return an amount that can be meant; what is beyond all measure is a slip of the pen."""
    number = fields.number(value)
    if number is None:
        return None
    largest = data("scope.yaml")["largest-amount"]
    return number if Fraction(1, largest) <= number <= largest else None


def unit_days(unit: object) -> Fraction | None:
    """Return the days of a unit of time, by UCUM code or by its word."""
    known = data("scope.yaml")["unit-days"]
    days = known.get(unit.strip().lower()) if isinstance(unit, str) else None
    return Fraction(days) if days else None


def days_of(duration: dict[str, Any]) -> Fraction | None:
    """Return the days of a Duration."""
    value = positive(duration.get("value"))
    named = (fields.text(duration, "code"), fields.text(duration, "unit"))
    each = next((days for unit in named if (days := unit_days(unit))), None)
    return value * each if value and each else None


def bounds_of(repeat: dict[str, Any]) -> tuple[Fraction, Fraction] | None:
    """Return the least and the most days that a repetition goes on, where it states a length."""
    if days := days_of(fields.item(repeat, "boundsDuration")):
        return days, days
    span = fields.item(repeat, "boundsRange")
    low, high = (days_of(fields.item(span, name)) for name in ("low", "high"))
    if high is None:
        return None
    return min(low or high, high), high
