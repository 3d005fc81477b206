"""How much one order asks for: visits, 15-minute units a visit, frequency, duration (G-15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from fractions import Fraction
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.dates import Days, parse_days
from cds_service.record.model import Resource

WEEK = Fraction(7)
Range = tuple[Fraction, Fraction]
"""Least and most; both the same when the number is known."""


@dataclass(frozen=True, slots=True)
class Dose:
    """What one order asks for; None where it does not say or cannot be understood.

    `visits` are all visits of the order, `units` 15-minute units in each visit, `per_week` visits a
    week, `weeks` the weeks in which they are given, `start` and `end` the ordered period.
    """

    visits: Range | None
    units: Fraction | None
    per_week: Fraction | None
    weeks: Fraction | None
    start: Days | None
    end: Days | None


def read_dose(order: Resource, zone: tzinfo) -> Dose:
    """Return what a ServiceRequest asks for."""
    repeat = fields.item(fields.item(order, "occurrenceTiming"), "repeat")
    per_week = _per_week(order, repeat)
    visits = _visits(order, repeat, per_week)
    start, end = _period(order, repeat, zone)
    return Dose(
        visits=visits,
        units=_units(order, repeat),
        per_week=per_week,
        weeks=_weeks(repeat, visits, per_week, start, end),
        start=start,
        end=end,
    )


def _positive(value: object) -> Fraction | None:
    """Return an amount that can be meant; what is beyond all measure is a slip of the pen."""
    number = fields.number(value)
    if number is None:
        return None
    largest = data("scope.yaml")["largest-amount"]
    return number if Fraction(1, largest) <= number <= largest else None


def _quantity(order: Resource) -> tuple[Fraction | None, str]:
    """Return the ordered quantity and what it counts: visits, units, minutes or bare."""
    quantity = fields.item(order, "quantityQuantity")
    if not quantity:
        quantity = fields.item(fields.item(order, "quantityRange"), "high")
    value = None if quantity.get("comparator") else _positive(quantity.get("value"))
    scope = data("scope.yaml")
    for name in ("unit", "code"):
        unit = (fields.text(quantity, name) or "").strip().lower()
        if unit in scope["visit-units"]:
            return value, "visits"
        if unit in scope["quarter-hour-units"]:
            return value, "units"
        if unit in scope["minute-units"]:
            return value and value * scope["minute-units"][unit], "minutes"
    return value, "bare"


def _count(repeat: dict[str, Any]) -> Fraction | None:
    return _positive(repeat.get("countMax")) or _positive(repeat.get("count"))


def _visits(order: Resource, repeat: dict[str, Any], per_week: Fraction | None) -> Range | None:
    value, counts = _quantity(order)
    stated = [
        value if counts == "visits" else None,
        _count(repeat),
        _events(order),
    ]
    known = [number for number in stated if number is not None]
    if not known and (derived := _derived_visits(repeat, per_week)):
        known = [derived]
    return (min(known), max(known)) if known else None


def _events(order: Resource) -> Fraction | None:
    """Return the number of dates an order lists for its visits."""
    events = fields.item(order, "occurrenceTiming").get("event")
    return Fraction(len(events)) if isinstance(events, list) and events else None


def _derived_visits(repeat: dict[str, Any], per_week: Fraction | None) -> Fraction | None:
    """Return frequency times duration where that is a whole number of visits."""
    days = _days(fields.item(repeat, "boundsDuration"))
    visits = per_week * days / WEEK if per_week and days else None
    return visits if visits and visits.denominator == 1 else None


def _units(order: Resource, repeat: dict[str, Any]) -> Fraction | None:
    value, counts = _quantity(order)
    quarter = Fraction(data("scope.yaml")["unit-minutes"])
    if value is not None and counts != "visits":
        if counts == "minutes":
            return value / quarter
        return value if counts == "units" or _count(repeat) else None
    minutes = _minutes(repeat)
    return minutes / quarter if minutes else None


def _minutes(repeat: dict[str, Any]) -> Fraction | None:
    duration = _positive(repeat.get("durationMax")) or _positive(repeat.get("duration"))
    factor = data("scope.yaml")["minute-units"].get(repeat.get("durationUnit"))
    return duration * factor if duration and factor else None


def _days(duration: dict[str, Any]) -> Fraction | None:
    value = _positive(duration.get("value"))
    named = (fields.text(duration, "code"), fields.text(duration, "unit"))
    each = next((days for unit in named if (days := _unit_days(unit))), None)
    return value * each if value and each else None


def _unit_days(unit: object) -> Fraction | None:
    days = data("scope.yaml")["unit-days"].get(unit) if isinstance(unit, str) else None
    return Fraction(days) if days else None


def _per_week(order: Resource, repeat: dict[str, Any]) -> Fraction | None:
    each = _unit_days(repeat.get("periodUnit"))
    period = _positive(repeat.get("period"))
    on_days = repeat.get("dayOfWeek")
    if isinstance(on_days, list) and on_days and each in (None, WEEK) and period in (None, 1):
        return Fraction(len(on_days))
    if each is None or period is None:
        return _per_week_of_code(order)
    times = _positive(repeat.get("frequencyMax")) or _positive(repeat.get("frequency"))
    return (times or Fraction(1)) * WEEK / (period * each)


def _per_week_of_code(order: Resource) -> Fraction | None:
    codes = data("scope.yaml")["timing-codes"]
    timing = fields.item(fields.item(order, "occurrenceTiming"), "code")
    known = next((codes[code] for _, code in fields.codings([timing]) if code in codes), None)
    if not known:
        return None
    times, period, unit = known
    return Fraction(times) * WEEK / (Fraction(period) * (_unit_days(unit) or WEEK))


def _period(
    order: Resource, repeat: dict[str, Any], zone: tzinfo
) -> tuple[Days | None, Days | None]:
    bounds = fields.item(repeat, "boundsPeriod") or fields.item(order, "occurrencePeriod")
    start = parse_days(
        fields.text(bounds, "start") or fields.text(order, "occurrenceDateTime"), zone
    )
    end = parse_days(fields.text(bounds, "end"), zone)
    duration = _days(fields.item(repeat, "boundsDuration"))
    if end is None and start and duration:
        end = _later(start, int(duration))
    return start, end


def _later(start: Days, days: int) -> Days | None:
    try:
        return Days(start.first + timedelta(days=days), start.last + timedelta(days=days))
    except OverflowError:
        return None


def _weeks(
    repeat: dict[str, Any],
    visits: Range | None,
    per_week: Fraction | None,
    start: Days | None,
    end: Days | None,
) -> Fraction | None:
    """Return the weeks of the order: the repetition stops at the first limit it reaches."""
    limits: list[Fraction] = []
    if days := _days(fields.item(repeat, "boundsDuration")):
        limits.append(days / WEEK)
    elif start and end and start.exact and end.exact and end.first >= start.first:
        limits.append(Fraction((end.first - start.first).days) / WEEK)
    if visits and per_week:
        limits.append(visits[1] / per_week)
    return min(limits) if limits else None
