"""Whether a change is as large as a rule asks, in exact numbers (G-12, G-13)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from cds_service.evidence.answer import Status
from cds_service.evidence.changes import HIGHER, LOWER, Change, found_of
from cds_service.evidence.context import Context, Spec
from cds_service.evidence.fits import agreed
from cds_service.evidence.points import Point
from cds_service.terminology import Measure

PERCENT = Fraction(1, 100)

Verdict = Callable[[Change], Status]
VerdictOn = Callable[[Context, Measure], Verdict]
"""What gives for a measure the verdict on its changes."""


def verdict_of(spec: Spec) -> VerdictOn:
    """Return what tells whether a change is as the rule asks."""
    if "better-by" in spec:
        return _reaching(spec["better-by"])
    if "worse-by" in spec:
        return _reaching(spec["worse-by"], worse=True)
    if "short-of" in spec:
        return _falling_short(_reaching(spec["short-of"]))
    return _unchanged(spec.get("unchanged", True))


def _falling_short(reaching: VerdictOn) -> VerdictOn:
    def verdict_on(context: Context, measure: Measure) -> Verdict:
        reached = reaching(context, measure)
        return lambda change: reached(change).opposite

    return verdict_on


def _open(_change: Change) -> Status:
    return Status.UNKNOWN


def _reaching(size: object, *, worse: bool = False) -> VerdictOn:
    percent = size.get("percent") if isinstance(size, Mapping) else None
    share = None if percent is None else Fraction(percent) * PERCENT
    least_of = _least(size)

    def verdict_on(context: Context, measure: Measure) -> Verdict:
        if measure.better not in (LOWER, HIGHER):
            return _open
        if share is not None:
            return lambda change: agreed(set(_percent(change, share, worse=worse)))
        least = least_of(context, measure)
        return _open if least is None else _gone(least, down=(measure.better == LOWER) != worse)

    return verdict_on


def _gone(least: Fraction, *, down: bool) -> Verdict:
    """Tell whether a value went so far down or up; at all, where the least change counts.

    The value to reach is worked out once for each base: to compare costs less than to subtract.
    """
    reaches = operator.le if down else operator.ge
    if not least:
        reaches = operator.lt if down else operator.gt
    goals: dict[Point, Sequence[Fraction]] = {}

    def verdict(change: Change) -> Status:
        goal = goals.get(change.base)
        if goal is None:
            goal = [value - least if down else value + least for value in change.base.values]
            goals[change.base] = goal
        return agreed(found_of(reaches, change.point.values, goal))

    return verdict


def _percent(change: Change, share: Fraction, *, worse: bool) -> Iterable[bool | None]:
    """Tell for each scale whether the share was reached; a change the other way never did."""
    for gain, part in zip(change.gains(), change.parts(), strict=False):
        if part is None:
            base_ideal = change.measure.ideal is not None
            yield None if base_ideal or (-gain if worse else gain) > 0 else False
        else:
            yield (-part if worse else part) >= share


def _same(change: Change) -> Status:
    return agreed(found_of(operator.eq, change.point.values, change.base.values))


def _unchanged(size: object) -> VerdictOn:
    least_of = _least(size)

    def verdict_on(context: Context, measure: Measure) -> Verdict:
        if size is True:
            return _same
        least = least_of(context, measure)
        if least is None:
            return _open
        return lambda change: agreed({abs(gain) < least for gain in change.gains()})

    return verdict_on


def _least(size: object) -> Callable[[Context, Measure], Fraction | None]:
    """Return what gives the smallest change that counts, 0 for any; None when nobody set it."""
    part = size.get("mcid-share") if isinstance(size, Mapping) else None
    share = None if part is None else Fraction(part)

    def least(context: Context, measure: Measure) -> Fraction | None:
        if size == "any":
            return Fraction(0)
        name = measure.mic if size == "mic" and measure.mic else measure.mcid
        whole = context.numbers.get(name) if name else None
        return whole if share is None or whole is None else whole * share

    return least


def reached_at(context: Context, measure: Measure, base: Fraction, size: object) -> Fraction | None:
    """Return the value at which a measure is better than `base` by a size; for any gain `base`.

    None where that is undefined: no difference is set for the measure, or a percentage is taken on
    a raw sum.
    """
    if measure.better not in (LOWER, HIGHER):
        return None
    if isinstance(size, Mapping) and "percent" in size:
        ideal = measure.ideal
        return None if ideal is None else base + (ideal - base) * size["percent"] * PERCENT
    least = _least(size)(context, measure)
    if least is None:
        return None
    return base - least if measure.better == LOWER else base + least
