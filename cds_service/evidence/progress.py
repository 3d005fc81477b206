"""Change of a measure since care began: how much better or worse, in exact numbers (G-12, G-13)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.changes import LOWER, Change, said_of
from cds_service.evidence.context import Context, Leaf, Spec, leaf, once
from cds_service.evidence.measures import (
    Series,
    baselines,
    current,
    follow_ups,
    keys_of,
    series_of,
)
from cds_service.evidence.points import Point
from cds_service.evidence.verdicts import verdict_of
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import anchor_or_order


def comparable(one: Point, other: Point) -> bool:
    """Whether two points are numbers of one version and scale, as far as they say (G-12)."""
    if not (one.values and other.values) or one.scale != other.scale:
        return False
    return one.version == other.version or not _differ(one.version, other.version)


def _differ(one: str | None, other: str | None) -> bool:
    """Whether two versions that are not the same are of one kind ("form 1.0", "items v2")."""
    if one is None or other is None:
        return False
    return one.partition(" ")[0] == other.partition(" ")[0]


class _Pairs(Struct, frozen=True):
    """Changes to judge; `odd` are points that can be compared with nothing."""

    changes: tuple[Change, ...] = ()
    odd: tuple[Point, ...] = ()


BaseOf = Callable[[Point], Point | None]
Against = Callable[[Context, Series], BaseOf]
"""What gives for a series the point that each of its points is compared with."""


def _to_baseline(context: Context, series: Series) -> BaseOf:
    bases = baselines(context, series)

    def base_of(point: Point) -> Point | None:
        for base in bases:
            if base.day < point.day and comparable(base, point):
                return base
        return None

    return base_of


def _from_baseline(context: Context, series: Series) -> date:
    found = baselines(context, series)
    return found[0].day if found else anchor_or_order(context)


def _to_previous(apart: int) -> Against:
    def previous(context: Context, series: Series) -> BaseOf:
        first = _from_baseline(context, series)

        def base_of(point: Point) -> Point | None:
            end = bisect_right(series.points, point.day - timedelta(days=apart), key=_day)
            back = (series.points[place] for place in range(end - 1, -1, -1))
            near = takewhile(lambda one: one.day >= first, (o for o in back if o.day < point.day))
            return next((one for one in near if comparable(one, point)), None)

        return base_of

    return previous


def _day(point: Point) -> date:
    return point.day


def _to_best(context: Context, series: Series) -> BaseOf:
    bests = _bests(context, series)

    def base_of(point: Point) -> Point | None:
        found = (one for one in bests[point.day] if comparable(one, point))
        return _best(context, series, sorted(found, key=_day))

    return base_of


def _best(context: Context, series: Series, oldest_first: Sequence[Point]) -> Point | None:
    lower = context.facts.terminology.measure(series.measure).better == LOWER
    best = min if lower else max
    return best(oldest_first, key=lambda one: one.values, default=None)


@once
def _bests(context: Context, series: Series) -> Mapping[date, Sequence[Point]]:
    """Return for each day the best earlier points from the baseline on, one of each version."""
    first = _from_baseline(context, series)
    found: dict[date, Sequence[Point]] = {}
    bests: dict[str | None, Point] = {}
    for point in series.points:
        found[point.day] = tuple(bests.values())
        if point.day >= first and point.values:
            known = bests.get(point.version, point)
            bests[point.version] = _best(context, series, [known, point]) or point
    return found


def _against(spec: Spec) -> tuple[Against, str]:
    word = "previous" if spec.get("point") == "latest-two" else spec.get("against", "baseline")
    if word == "previous":
        return _to_previous(fields.whole(spec.get("apart", 1))), word
    return (_to_best, word) if word == "best" else (_to_baseline, "baseline")


def _pairs(
    context: Context, series: Series, points: Sequence[Point], against: Against, word: str
) -> _Pairs:
    measure, base_of = context.facts.terminology.measure(series.measure), against(context, series)
    has_base = word == "baseline" and bool(baselines(context, series))
    said: dict[Point, str] = {}
    changes, odd = [], []
    for point in points:
        if base := base_of(point):
            if base not in said:
                said[base] = said_of(base, word)
            changes.append(Change(measure, base, point, said[base]))
        elif has_base:
            odd.append(point)
    return _Pairs(tuple(changes), tuple(odd))


def _in_days(spec: Spec) -> Callable[[date, Sequence[Point]], Sequence[Point]] | None:
    """Return what keeps the points in the days of the episode asked about, if any are."""
    span = spec.get("days")
    if not span:
        return None
    first = fields.whole(span["from"]) if "from" in span else None
    last = fields.whole(span["to"]) if "to" in span else None

    def inside(anchor: date, points: Sequence[Point]) -> Sequence[Point]:
        aged = [((point.day - anchor).days, point) for point in points]
        return [
            point
            for day, point in aged
            if (first is None or day >= first) and (last is None or day <= last)
        ]

    return inside


def _keys(spec: Spec) -> tuple[str, ...]:
    return (*keys_of(fields.names(spec["of"])), *VISIT_KEYS)


@leaf("progress", keys=_keys)
def progress(spec: Spec) -> Leaf:
    """Ask how a measure changed; one never measured again shows nothing.

    `quantifier: all` asks it of every measure that was measured again. That there was no gain is
    not certain as long as a measurement may be unread.
    """
    of, every = fields.names(spec["of"]), spec.get("quantifier") == "all"
    keys = _keys(spec)
    certain = not (every or "short-of" in spec or "unchanged" in spec)
    judge = _judge(spec)

    def ask(context: Context) -> Answer:
        holes = fields.holes_of(context, *keys)
        found = [one for series in series_of(context, of) if (one := judge(context, series))]
        if every and found:
            status = fields.weakest(status for status, _ in found)
            found = [(status, findings) for _, findings in found]
        if holes and not certain:
            found = [(_doubted(status), findings) for status, findings in found]
        flat = [(status, finding) for status, findings in found for finding in findings]
        return fields.answer(flat, holes, (finding for _, finding in flat))

    return ask


def _doubted(status: Status) -> Status:
    return Status.UNKNOWN if status is Status.MET else status


Judged = tuple[Status, Sequence[Finding]]


def _judge(spec: Spec) -> Callable[[Context, Series], Judged | None]:
    """Return what judges one series: the verdict with its findings, None when not re-measured."""
    verdict_on, inside = verdict_of(spec), _in_days(spec)
    against, word = _against(spec)
    point = spec.get("point", "current")
    lasting = fields.whole(spec["lasting"]) if "lasting" in spec else None

    def judge(context: Context, series: Series) -> Judged | None:
        after: Sequence[Point] = follow_ups(context, series)
        if inside:
            after = inside(anchor_or_order(context), after)
        chosen = _chosen(context, after, point, lasting)
        pairs = _pairs(context, series, chosen, against, word)
        if point == "latest-two":
            pairs = _since_previous(pairs, after)
        verdict = verdict_on(context, context.facts.terminology.measure(series.measure))
        judged = [(verdict(change), change) for change in pairs.changes]
        if judged and lasting is not None:
            return _lasted(judged, lasting, newest=point != "any")
        if judged:
            return _summed(judged, every=point == "latest-two")
        return _undecided(context, series, pairs.odd)

    return judge


def _chosen(
    context: Context, after: Sequence[Point], point: str, lasting: int | None
) -> Sequence[Point]:
    if point == "current":
        newest = current(context, after)
        if newest is None:
            return ()
        return after if lasting is not None else (newest,)
    return after if point == "any" or lasting is not None else after[-1:]


def _since_previous(pairs: _Pairs, after: Sequence[Point]) -> _Pairs:
    """Compare every point since the earlier of the two, so that a gain in between shows."""
    return _Pairs(
        tuple(
            replace(change, point=point)
            for change in pairs.changes
            for point in after
            if change.base.day < point.day <= change.point.day and comparable(change.base, point)
        )
    )


def _summed(judged: Sequence[tuple[Status, Change]], *, every: bool) -> Judged:
    """Return the verdict on several changes of one measure, with those that gave it."""
    statuses = [status for status, _ in judged]
    order = [Status.NOT_MET, Status.UNKNOWN, Status.MET]
    ranked = order if every else order[::-1]
    status = next(one for one in ranked if one in statuses)
    return status, [change.finding() for one, change in judged if one is status]


def _lasted(judged: Sequence[tuple[Status, Change]], days: int, *, newest: bool) -> Judged:
    """Whether the change holds at two measurements so far apart; the newest must be one."""
    status = Status.NOT_MET
    for kept in ((Status.MET,), (Status.MET, Status.UNKNOWN)):
        held = [change for one, change in judged if one in kept]
        if not held or (newest and held[-1] is not judged[-1][1]):
            continue
        if (held[-1].point.day - held[0].point.day).days >= days:
            status = Status.MET if Status.UNKNOWN not in kept else Status.UNKNOWN
            return status, [held[0].finding(), held[-1].finding()]
    return status, [judged[-1][1].finding()]


def _undecided(context: Context, series: Series, odd: Sequence[Point]) -> Judged | None:
    """Return unknown when a measurement is there that cannot be used, None when there is none."""
    first = anchor_or_order(context)
    doubtful = [
        point for point in (*series.partial, *series.preliminary) if point.days.last > first
    ]
    findings = [point.finding for point in (*odd, *doubtful)]
    return (Status.UNKNOWN, findings) if findings else None
