"""A measurement beside an earlier one: what was gained, on each scale and as a part."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cds_service.evidence.answer import Finding
from cds_service.evidence.context import lazy
from cds_service.evidence.points import Point
from cds_service.terminology import Measure

LOWER, HIGHER = "lower", "higher"


@dataclass(eq=False)
class Change:
    """A measurement beside the one it is compared with: `word` says which that is."""

    measure: Measure
    base: Point
    point: Point
    word: str

    @lazy
    def finding(self) -> Finding:
        """The later measurement, with the earlier one in its value."""
        late = ", after the first visit" if self.base.late_baseline else ""
        base = self.base
        value = f"{self.point.figure} ({self.word} {base.figure} on {base.finding.date}{late})"
        return self.point.finding.saying(value)

    @lazy
    def gains(self) -> list[Fraction]:
        """The gain, positive when better, on each scale that the record leaves open."""
        lower = self.measure.better == LOWER
        return [base - point if lower else point - base for base, point in self._pairs()]

    def parts(self) -> list[Fraction | None]:
        """Return the gain as a part of what could be gained; None where that is undefined."""
        if self.measure.percent_of_raw:
            return [self._part_of_raw()]
        ideal = self.measure.ideal
        pairs = self._pairs()
        return [None if ideal is None else _part(base, point, ideal) for base, point in pairs]

    def _pairs(self) -> list[tuple[Fraction, Fraction]]:
        bases, points = self.base.values, self.point.values
        if len(bases) == len(points):
            return list(zip(bases, points, strict=True))
        return [(base, point) for base in bases for point in points]

    def _part_of_raw(self) -> Fraction | None:
        base, point, ideal = self.base.raw, self.point.raw, self.measure.raw_ideal
        if base is None or point is None or ideal is None:
            return None
        return _part(base, point, ideal)


def _part(base: Fraction, point: Fraction, ideal: Fraction) -> Fraction | None:
    """Return the share of the way from base to the ideal value that was gone."""
    return None if base == ideal else (point - base) / (ideal - base)
