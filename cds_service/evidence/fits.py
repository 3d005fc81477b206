"""Whether a measurement is as a rule asks: by its value, by its day."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Status
from cds_service.evidence.context import Spec
from cds_service.evidence.points import Point

Fits = Callable[[Point], Status]
BOUNDS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "at-least": operator.ge,
    "at-most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
_VERDICTS = {True: Status.MET, False: Status.NOT_MET, None: Status.UNKNOWN}


def all_of(tests: Sequence[Fits]) -> Fits:
    """Return what gives the weakest verdict; what fails one test is not asked another."""
    if len(tests) == 1:
        return tests[0]

    def fits(point: Point) -> Status:
        found = Status.MET
        for test in tests:
            status = test(point)
            if status is Status.NOT_MET:
                return status
            if status is Status.UNKNOWN:
                found = status
        return found

    return fits


def not_before(day: date) -> Fits:
    """Return what tells whether a measurement is of a day or later; a partial date may be."""

    def fits(point: Point) -> Status:
        if point.day >= day:
            return Status.MET
        return Status.NOT_MET if point.days.last < day else Status.UNKNOWN

    return fits


def fits_of(spec: Spec) -> Fits:
    """Return what tells whether a measurement has the value asked for."""
    bounds = [(name, Fraction(spec[name])) for name in BOUNDS if name in spec]
    flagged, wanted = spec.get("flagged"), frozenset(fields.names(spec.get("coded-in")))

    def fits(point: Point) -> Status:
        if (flagged and flagged not in point.flags) or (wanted and not wanted & point.answers):
            return Status.NOT_MET
        verdicts = {_holds(name, limit, point) for name, limit in bounds}
        return fields.weakest(verdicts)

    return fits


def _holds(name: str, limit: Fraction, point: Point) -> Status:
    """Whether the value keeps to the bound on every scale that the record leaves open."""
    return agreed({BOUNDS[name](value, limit) for value in point.values})


def agreed(verdicts: set[bool | None] | set[bool]) -> Status:
    """Return what all verdicts say; what they do not agree on is not known."""
    return _VERDICTS[verdicts.pop()] if len(verdicts) == 1 else Status.UNKNOWN
