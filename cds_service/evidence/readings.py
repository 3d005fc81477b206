"""Repeated readings: values that must be reached on several days, and values that fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.fits import fits_of
from cds_service.evidence.measures import keys_of, series_of, suspecting
from cds_service.evidence.points import Point


@dataclass(frozen=True, slots=True)
class _Day:
    """The readings of one day that reach a limit; none when all of that day are below."""

    day: date
    reached: tuple[Point, ...]


def _asked(spec: Spec) -> tuple[Mapping[str, object], ...]:
    return tuple(one for one in spec.get("any", ()) if isinstance(one, Mapping))


def _reading_keys(spec: Spec) -> tuple[str, ...]:
    of = [name for one in _asked(spec) for name in fields.names(one["of"])]
    return keys_of(of)


@leaf("readings", keys=_reading_keys)
def readings(spec: Spec) -> Leaf:
    """Ask whether one of several measures reached its limit on so many days, the newest among them.

    Results that are not final count, as suspected: this is a question of safety.
    """
    asked, read = _asked(spec), _reading_keys(spec)
    times, limit = fields.whole(spec.get("times", 1)), spec.get("within")
    newest = spec.get("newest-within")

    def ask(context: Context) -> Answer:
        days = _days(context, asked, limit)
        reached = [one for one in days if one.reached]
        findings = [(Status.MET, p.finding) for one in reached for p in one.reached]
        current = bool(reached) and reached[-1] is days[-1]
        recent = current and _recent(context, reached[-1].day, newest)
        told = findings if recent and len(reached) >= times else []
        return fields.answer(told, fields.holes_of(context, *read), [f for _, f in findings])

    return ask


def _days(context: Context, asked: Sequence[Mapping[str, object]], limit: object) -> Sequence[_Day]:
    """Return the days with a reading in the last `limit` days, oldest first."""
    by_day: dict[date, list[Point]] = {}
    for one in asked:
        fit = fits_of(one)
        for series in series_of(context, fields.names(one["of"])):
            for point in suspecting(series).points:
                if fields.recent(context.facts, point.days, limit) is Status.MET:
                    reached = [point] if fit(point) is Status.MET else []
                    by_day.setdefault(point.day, []).extend(reached)
    return [_Day(day, tuple(by_day[day])) for day in sorted(by_day)]


def _recent(context: Context, day: date, limit: object) -> bool:
    return limit is None or (context.facts.day - day).days <= fields.whole(limit)


def _fall_keys(spec: Spec) -> tuple[str, ...]:
    return keys_of(fields.names(spec["of"]))


@leaf("fall", keys=_fall_keys)
def fall(spec: Spec) -> Leaf:
    """Ask whether the newest value lies below an earlier one by more than so much."""
    of, read, limit = fields.names(spec["of"]), _fall_keys(spec), spec["within"]
    least = Fraction(spec["above"])

    def ask(context: Context) -> Answer:
        found: list[tuple[Status, Finding]] = []
        for series in series_of(context, of):
            recent = [
                point
                for point in suspecting(series).points
                if fields.recent(context.facts, point.days, limit) is Status.MET and point.values
            ]
            found += _fallen(recent, least)
        return fields.answer(found, fields.holes_of(context, *read))

    return ask


def _fallen(points: Sequence[Point], least: Fraction) -> list[tuple[Status, Finding]]:
    """Return the highest earlier and the newest value when the difference is large enough."""
    if not points:
        return []
    *before, newest = points
    highest = max(before, key=lambda point: max(point.values), default=None)
    if highest is None:
        return []
    verdicts = {high - low > least for high in highest.values for low in newest.values}
    if verdicts == {False}:
        return []
    status = Status.MET if verdicts == {True} else Status.UNKNOWN
    return [(status, newest.finding), (status, highest.finding)]
