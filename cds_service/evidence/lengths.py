"""How long something is ordered for, in days: durations, and the bounds of a Timing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data

MOST, LEAST = "unit-days", "unit-days-least"


def positive(value: object) -> Fraction | None:
    """Return an amount that can be meant; what is beyond all measure is a slip of the pen."""
    number = fields.number(value)
    if number is None:
        return None
    largest = data("scope.yaml")["largest-amount"]
    return number if Fraction(1, largest) <= number <= largest else None


def unit_days(unit: object, table: str = MOST) -> Fraction | None:
    """Return the days of a unit of time, by UCUM code or by its word."""
    known = data("scope.yaml")[table]
    days = known.get(unit.strip().lower()) if isinstance(unit, str) else None
    return Fraction(days) if days else None


def days_of(duration: dict[str, Any], table: str = MOST) -> Fraction | None:
    """Return the days of a Duration, or with the table of the LEAST the fewest it can mean."""
    value = positive(duration.get("value"))
    named = (fields.text(duration, "code"), fields.text(duration, "unit"))
    each = next((days for unit in named if (days := unit_days(unit, table))), None)
    return value * each if value and each else None


def bounds_of(repeat: dict[str, Any]) -> tuple[Fraction, Fraction] | None:
    """Return the least and the most days that a repetition goes on, where it states a length."""
    span = fields.item(repeat, "boundsRange")
    longest = fields.item(repeat, "boundsDuration") or fields.item(span, "high")
    most = days_of(longest)
    if most is None:
        return None
    least = None if "boundsDuration" in repeat else _fewest(fields.item(span, "low"))
    return min(least or _fewest(longest) or most, most), most


def _fewest(duration: dict[str, Any]) -> Fraction | None:
    return days_of(duration, LEAST) or days_of(duration)
