"""How much one order asks for: visits, 15-minute units a visit, frequency, duration (G-15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from math import ceil, floor
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.lengths import Range, later, positive
from cds_service.evidence.timing import WEEK, Timing, bounds_of, count_of, counted, times_a_day
from cds_service.record.model import Resource


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
    timing = fields.item(order, "occurrenceTiming")
    often = times_a_day(timing)
    per_week = often * WEEK if often else None
    bounds = bounds_of(timing)
    start, end = _period(order, timing, zone)
    begins = start or parse_days(fields.text(order, "authoredOn"), zone)
    if end is None and begins and bounds:
        end = later(begins, (bounds[1], bounds[1]))
    stated = _visits(order, timing)
    visits = stated or _derived_visits(bounds or _length(begins, end), per_week)
    return Dose(
        visits=visits,
        units=_units(order, timing),
        per_week=per_week,
        weeks=_weeks(bounds, visits, per_week, start, end),
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


def _visits(order: Resource, timing: Timing) -> Range | None:
    value, counts = _quantity(order)
    stated = [
        value if counts == "visits" else None,
        count_of(timing),
        _events(timing),
    ]
    known = [number for number in stated if number is not None]
    return (min(known), max(known)) if known else None


def _events(timing: Timing) -> Fraction | None:
    """Return the number of dates an order lists for its visits."""
    events = timing.get("event")
    return Fraction(len(events)) if isinstance(events, list) and events else None


def _derived_visits(length: Range | None, per_week: Fraction | None) -> Range | None:
    """Return frequency times duration, in whole visits and at least one."""
    if length is None or not per_week:
        return None
    low, high = (per_week * days / WEEK for days in length)
    return Fraction(max(floor(low), 1)), Fraction(max(ceil(high), 1))


def _length(start: Days | None, end: Days | None) -> Range | None:
    """Return the days for which visits go on: of a period, without its last day or with it."""
    if not (start and end and start.exact and end.exact and end.first > start.first):
        return None
    days = Fraction((end.first - start.first).days)
    return days, days + 1


def _units(order: Resource, timing: Timing) -> Fraction | None:
    value, counts = _quantity(order)
    quarter = Fraction(data("scope.yaml")["unit-minutes"])
    if value is not None and counts != "visits":
        if counts == "minutes":
            return value / quarter
        count = counted(fields.item(timing, "repeat"))
        return value if counts == "units" or (count and count != value) else None
    minutes = _minutes(fields.item(timing, "repeat"))
    return minutes / quarter if minutes else None


def _minutes(repeat: dict[str, Any]) -> Fraction | None:
    duration = positive(repeat.get("durationMax")) or positive(repeat.get("duration"))
    factor = data("scope.yaml")["minute-units"].get(repeat.get("durationUnit"))
    return duration * factor if duration and factor else None


def _period(order: Resource, timing: Timing, zone: tzinfo) -> tuple[Days | None, Days | None]:
    repeat = fields.item(timing, "repeat")
    period = fields.item(repeat, "boundsPeriod") or fields.item(order, "occurrencePeriod")
    start = parse_days(
        fields.text(period, "start") or fields.text(order, "occurrenceDateTime"), zone
    )
    return start, parse_days(fields.text(period, "end"), zone)


def _weeks(
    bounds: Range | None,
    visits: Range | None,
    per_week: Fraction | None,
    start: Days | None,
    end: Days | None,
) -> Fraction | None:
    """Return the weeks of the order: the repetition stops at the first limit it reaches."""
    limits: list[Fraction] = []
    if bounds:
        limits.append(bounds[1] / WEEK)
    elif start and end and start.exact and end.exact and end.first >= start.first:
        limits.append(Fraction((end.first - start.first).days) / WEEK)
    if visits and per_week:
        limits.append(visits[1] / per_week)
    return min(limits) if limits else None
