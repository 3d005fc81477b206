"""The course of scores as JSON, for whoever draws it."""

from __future__ import annotations

from datetime import date
from typing import Any

from cds_service.course import Band, Course, Line, Step
from cds_service.evaluation import number
from cds_service.evidence.points import Point
from cds_service.evidence.visits import Visit

Json = dict[str, Any]


def shown(course: Course) -> Json:
    """Return a course: days as ISO dates, values on the scale of the measure's axis."""
    head = course.policy.head if course.policy else None
    return {
        "coverage": course.coverage,
        "policy": head.id if head else None,
        "title": head.title if head else None,
        "day": course.day.isoformat(),
        "anchor": _day(course.anchor),
        "visits": [_visit(visit) for visit in course.visits],
        "lines": [_line(line) for line in course.lines],
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _visit(visit: Visit) -> Json:
    days, found = visit.days, visit.finding
    span = {"first": days.first.isoformat(), "last": days.last.isoformat()}
    return span | {"reference": found.reference, "date": found.date}


def _line(line: Line) -> Json:
    series, measure = line.series, line.measure
    points = [_point(point, "final") for point in series.points]
    points += [_point(point, "partial") for point in series.partial]
    points += [_point(point, "preliminary") for point in series.preliminary]
    return {
        "id": measure.id,
        "title": measure.title,
        "scale": measure.scale.id,
        "better": measure.better,
        "low": number(line.low),
        "high": number(line.high),
        "baseline": _point(line.baseline, "final") if line.baseline else None,
        "step": _step(line.step) if line.step else None,
        "bands": [_band(band) for band in line.bands],
        "points": sorted(points, key=lambda point: (point["first"], point["last"])),
    }


def _point(point: Point, kind: str) -> Json:
    """Return a point; `value` is null where the record leaves open which scale it is on."""
    days, found = point.days, point.finding
    one = point.values[0] if len(point.values) == 1 else None
    return {
        "first": days.first.isoformat(),
        "last": days.last.isoformat(),
        "value": None if one is None else number(one),
        "kind": "unclear" if one is None else kind,
        "text": found.value,
        "date": found.date,
        "reference": found.reference,
        "late": point.late_baseline,
    }


def _step(step: Step) -> Json:
    use = step.size
    about = {"id": use.id, "unit": use.unit, "configured": use.configured}
    return about | {"value": number(step.value), "size": number(use.value)}


def _band(band: Band) -> Json:
    return {
        "rule": band.rule,
        "first": band.first.isoformat(),
        "last": _day(band.last),
        "edge": number(band.edge),
        "size": band.size,
    }
