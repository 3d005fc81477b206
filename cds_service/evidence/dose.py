"""How much one order asks for: visits, 15-minute units a visit, frequency, duration (G-15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from fractions import Fraction
from math import ceil, floor
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.lengths import bounds_of, positive, unit_days
from cds_service.record.model import Resource

DAY, WEEK = Fraction(1), Fraction(7)
Range = tuple[Fraction, Fraction]
"""Least and most; both the same when the number is known."""


@dataclass(frozen=True, slots=True)
class Dose:
    """What one order asks for; None where it does not say or cannot be understood.

    `visits` are all visits of the order, `units` 15-minute units in each visit, `per_week` visits a
    week, `weeks` the weeks in which they are given, `start` and `end` the ordered period. `derived`
    tells that the visits are what frequency and duration come to.
    """

    visits: Range | None
    units: Fraction | None
    per_week: Fraction | None
    weeks: Fraction | None
    start: Days | None
    end: Days | None
    derived: bool = False


def read_dose(order: Resource, zone: tzinfo) -> Dose:
    """Return what a ServiceRequest asks for."""
    repeat = fields.item(fields.item(order, "occurrenceTiming"), "repeat")
    per_week = _per_week(order, repeat)
    start, end = _period(order, repeat, zone)
    stated = _visits(order, repeat)
    length = _length(repeat, start or parse_days(fields.text(order, "authoredOn"), zone), end)
    visits = stated or _derived_visits(length, per_week)
    return Dose(
        visits=visits,
        units=_units(order, repeat),
        per_week=per_week,
        weeks=_weeks(repeat, visits, per_week, start, end),
        start=start,
        end=end,
        derived=stated is None and visits is not None,
    )


def _quantity(order: Resource) -> tuple[Fraction | None, str]:
    """Return the ordered quantity and what it counts: visits, units, minutes or bare."""
    quantity = fields.item(order, "quantityQuantity")
    if not quantity:
        quantity = fields.item(fields.item(order, "quantityRange"), "high")
    value = None if quantity.get("comparator") else positive(quantity.get("value"))
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
    return positive(repeat.get("countMax")) or positive(repeat.get("count"))


def _visits(order: Resource, repeat: dict[str, Any]) -> Range | None:
    value, counts = _quantity(order)
    stated = [
        value if counts == "visits" else None,
        _count(repeat),
        _events(order),
    ]
    known = [number for number in stated if number is not None]
    return (min(known), max(known)) if known else None


def _events(order: Resource) -> Fraction | None:
    """Return the number of dates an order lists for its visits."""
    events = fields.item(order, "occurrenceTiming").get("event")
    return Fraction(len(events)) if isinstance(events, list) and events else None


def _derived_visits(length: Range | None, per_week: Fraction | None) -> Range | None:
    """Return frequency times duration, in whole visits and at least one."""
    if length is None or not per_week:
        return None
    low, high = (per_week * days / WEEK for days in length)
    return Fraction(max(floor(low), 1)), Fraction(max(ceil(high), 1))


def _length(repeat: dict[str, Any], start: Days | None, end: Days | None) -> Range | None:
    """Return the days for which visits go on: of a period, without its last day or with it."""
    if bounds := bounds_of(repeat):
        return bounds
    if not (start and end and start.exact and end.exact and end.first > start.first):
        return None
    days = Fraction((end.first - start.first).days)
    return days, days + 1


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
    duration = positive(repeat.get("durationMax")) or positive(repeat.get("duration"))
    factor = data("scope.yaml")["minute-units"].get(repeat.get("durationUnit"))
    return duration * factor if duration and factor else None


def _per_week(order: Resource, repeat: dict[str, Any]) -> Fraction | None:
    each = unit_days(repeat.get("periodUnit"))
    period = positive(repeat.get("period"))
    listed = _days_listed(repeat) if period in (None, 1) else None
    if listed and each in (None, WEEK):
        return listed
    if each is None or period is None:
        return _per_week_of_code(order)
    times = positive(repeat.get("frequencyMax")) or positive(repeat.get("frequency")) or Fraction(1)
    return times * (listed if listed and each == DAY else WEEK / (period * each))


def _days_listed(repeat: dict[str, Any]) -> Fraction | None:
    """Return on how many days of the week alone it is, where these are listed."""
    on_days = repeat.get("dayOfWeek")
    return Fraction(len(on_days)) if isinstance(on_days, list) and on_days else None


def _per_week_of_code(order: Resource) -> Fraction | None:
    codes = data("scope.yaml")["timing-codes"]
    timing = fields.item(fields.item(order, "occurrenceTiming"), "code")
    known = next((codes[code] for _, code in fields.codings([timing]) if code in codes), None)
    if not known:
        return None
    times, period, unit = known
    return Fraction(times) * WEEK / (Fraction(period) * (unit_days(unit) or WEEK))


def _period(
    order: Resource, repeat: dict[str, Any], zone: tzinfo
) -> tuple[Days | None, Days | None]:
    period = fields.item(repeat, "boundsPeriod") or fields.item(order, "occurrencePeriod")
    start = parse_days(
        fields.text(period, "start") or fields.text(order, "occurrenceDateTime"), zone
    )
    end = parse_days(fields.text(period, "end"), zone)
    bounds = bounds_of(repeat)
    if end is None and start and bounds:
        end = _later(start, int(bounds[1]))
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
    if bounds := bounds_of(repeat):
        limits.append(bounds[1] / WEEK)
    elif start and end and start.exact and end.exact and end.first >= start.first:
        limits.append(Fraction((end.first - start.first).days) / WEEK)
    if visits and per_week:
        limits.append(visits[1] / per_week)
    return min(limits) if limits else None
