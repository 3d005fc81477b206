"""A measurement beside an earlier one: what was gained, on each scale and as a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import product, starmap

from msgspec import Struct

from cds_service.evidence.answer import Finding
from cds_service.evidence.points import Point
from cds_service.terminology import Measure

LOWER, HIGHER = "lower", "higher"


class Change(Struct, frozen=True, eq=False):
    """A measurement beside the one it is compared with: `beside` says which that is."""

    measure: Measure
    base: Point
    point: Point
    beside: str

    def finding(self) -> Finding:
        """Return the later measurement, with the earlier one in its value."""
        return self.point.finding.saying(f"{self.point.figure} ({self.beside})")

    def gains(self) -> list[Fraction]:
        """Return the gain, positive when better, on each scale that the record leaves open."""
        lower = self.measure.better == LOWER
        pairs = paired(self.base.values, self.point.values)
        return [base - point if lower else point - base for base, point in pairs]

    def parts(self) -> list[Fraction | None]:
        """Return the gain as a part of what could be gained; None where that is undefined."""
        if self.measure.percent_of_raw:
            return [self._part_of_raw()]
        ideal = self.measure.ideal
        pairs = paired(self.base.values, self.point.values)
        return [None if ideal is None else _part(base, point, ideal) for base, point in pairs]

    def _part_of_raw(self) -> Fraction | None:
        base, point, ideal = self.base.raw, self.point.raw, self.measure.raw_ideal
        if base is None or point is None or ideal is None:
            return None
        return _part(base, point, ideal)


def said_of(base: Point, word: str) -> str:
    """Return what a measurement is compared with, for a reader: "baseline 7 on 2025-01-08"."""
    late = ", after the first visit" if base.late_baseline else ""
    return f"{word} {base.figure} on {base.finding.date}{late}"


def paired(
    bases: Sequence[Fraction], values: Sequence[Fraction]
) -> Iterable[tuple[Fraction, Fraction]]:
    """Return what is compared: scale by scale, or each with each where scales are not the same."""
    if len(bases) == len(values):
        return zip(bases, values, strict=True)
    return product(bases, values)


def found_of(
    test: Callable[[Fraction, Fraction], bool],
    values: Sequence[Fraction],
    bases: Sequence[Fraction],
) -> set[bool]:
    """Return what a test comes to for every pair of a later value and what it is held against."""
    return set(starmap(test, paired(values, bases)))


def _part(base: Fraction, point: Fraction, ideal: Fraction) -> Fraction | None:
    """Return the share of the way from base to the ideal value that was gone."""
    return None if base == ideal else (point - base) / (ideal - base)
