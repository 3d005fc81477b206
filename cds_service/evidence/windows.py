"""Spans of days before the order's date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import floor

from cds_service.evidence.answer import Status
from cds_service.evidence.context import Spec
from cds_service.evidence.dates import Days
from cds_service.evidence.fields import whole


@dataclass(frozen=True, slots=True)
class Span:
    """Ages in days, both ends included; None leaves an end open."""

    youngest: int = 0
    oldest: int | None = None

    def holds(self, days: Days | None, on: date) -> Status:
        """Whether a date lies in the span, counted back from `on`.

        A partial date may mean any of its days up to `on`; where they disagree nobody can tell.
        """
        if days is None:
            return Status.UNKNOWN
        if days.first > on:
            return Status.NOT_MET
        low, high = (on - min(days.last, on)).days, (on - days.first).days
        if low >= self.youngest and (self.oldest is None or high <= self.oldest):
            return Status.MET
        outside = high < self.youngest or (self.oldest is not None and low > self.oldest)
        return Status.NOT_MET if outside else Status.UNKNOWN


def span(spec: Spec | None) -> Span | None:
    """Return the span of `older-than`, `within` or `from` and `to` (days); None for none."""
    if not spec:
        return None
    if "older-than" in spec:
        return Span(floor(spec["older-than"]) + 1, None)
    if "within" in spec:
        return Span(0, whole(spec["within"]))
    return Span(
        whole(spec["from"]) if "from" in spec else 0, whole(spec["to"]) if "to" in spec else None
    )


def overlap(one: tuple[Days | None, Days | None], other: tuple[Days | None, Days | None]) -> Status:
    """Whether two periods (start, end) share a day; an end that is not stated may be any day."""
    sides = (_not_after(one[0], other[1]), _not_after(other[0], one[1]))
    if Status.NOT_MET in sides:
        return Status.NOT_MET
    return Status.UNKNOWN if Status.UNKNOWN in sides else Status.MET


def _not_after(start: Days | None, end: Days | None) -> Status:
    if start is None or end is None:
        return Status.UNKNOWN
    if start.last <= end.first:
        return Status.MET
    return Status.NOT_MET if start.first > end.last else Status.UNKNOWN


def inside(start: Days | None, end: Days | None, day: date) -> Status:
    """Whether a day lies in a period whose missing ends are open."""
    on = Days(day, day)
    begun = _not_after(start, on) if start else Status.MET
    running = _not_after(on, end) if end else Status.MET
    if Status.NOT_MET in (begun, running):
        return Status.NOT_MET
    return Status.UNKNOWN if Status.UNKNOWN in (begun, running) else Status.MET
