"""Change of a measure since care began: how much better or worse, in exact numbers (G-12, G-13)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import takewhile

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.changes import HIGHER, LOWER, Change
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
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import anchor_or_order
from cds_service.record.model import valued
from cds_service.terminology import Measure

PERCENT = Fraction(1, 100)
VERDICTS = {True: Status.MET, False: Status.NOT_MET, None: Status.UNKNOWN}


Verdict = Callable[[Context, Change], Status]


def _verdict(spec: Spec) -> Verdict:
    """Return what tells whether a change is as the rule asks."""
    if "better-by" in spec:
        return _reaching(spec["better-by"])
    if "worse-by" in spec:
        return _reaching(spec["worse-by"], worse=True)
    if "short-of" in spec:
        reached = _reaching(spec["short-of"])
        return lambda context, change: _opposite(reached(context, change))
    return _unchanged(spec.get("unchanged", True))


def _reaching(size: object, *, worse: bool = False) -> Verdict:
    percent = size.get("percent") if isinstance(size, Mapping) else None
    share = None if percent is None else Fraction(percent) * PERCENT
    least_of = _least(size)

    def verdict(context: Context, change: Change) -> Status:
        if change.measure.better not in (LOWER, HIGHER):
            return Status.UNKNOWN
        if share is not None:
            return _agreed(_percent(change, share, worse=worse))
        least = least_of(context, change.measure)
        if least is None:
            return Status.UNKNOWN
        gains = [-gain for gain in change.gains] if worse else change.gains
        return _agreed([gain >= least if least else gain > 0 for gain in gains])

    return verdict


def _percent(change: Change, share: Fraction, *, worse: bool) -> Iterable[bool | None]:
    """Tell for each scale whether the share was reached; a change the other way never did."""
    for gain, part in zip(change.gains, change.parts(), strict=False):
        if part is None:
            base_ideal = change.measure.ideal is not None
            yield None if base_ideal or (-gain if worse else gain) > 0 else False
        else:
            yield (-part if worse else part) >= share


def _unchanged(size: object) -> Verdict:
    least_of = _least(size)

    def verdict(context: Context, change: Change) -> Status:
        gains = change.gains
        if size is True:
            return _agreed(gain == 0 for gain in gains)
        least = least_of(context, change.measure)
        return Status.UNKNOWN if least is None else _agreed(abs(gain) < least for gain in gains)

    return verdict


def _least(size: object) -> Callable[[Context, Measure], Fraction | None]:
    """Return what gives the smallest change that counts, 0 for any; None when nobody set it."""
    part = size.get("mcid-share") if isinstance(size, Mapping) else None
    share = None if part is None else Fraction(part)

    @once
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


def _agreed(verdicts: Iterable[bool | None]) -> Status:
    found = set(verdicts)
    if len(found) != 1:
        return Status.UNKNOWN
    return VERDICTS[found.pop()]


def _opposite(status: Status) -> Status:
    return {Status.MET: Status.NOT_MET, Status.NOT_MET: Status.MET}.get(status, status)


def comparable(one: Point, other: Point) -> bool:
    """Whether two points are numbers of one version and scale, as far as they say (G-12)."""
    numbers = bool(one.values and other.values)
    return numbers and one.scale == other.scale and not _differ(one.version, other.version)


def _differ(one: str | None, other: str | None) -> bool:
    """Whether two versions of one kind ("form 1.0", "items v2") are stated and not the same."""
    if one is None or other is None or one == other:
        return False
    return one.partition(" ")[0] == other.partition(" ")[0]


@valued
class _Pairs:
    """Changes to judge; `odd` are points that can be compared with nothing."""

    changes: tuple[Change, ...] = ()
    odd: tuple[Point, ...] = ()


Against = Callable[[Context, Series, Point], Point | None]


def _to_baseline(context: Context, series: Series, point: Point) -> Point | None:
    for base in baselines(context, series):
        if base.day < point.day and comparable(base, point):
            return base
    return None


def _from_baseline(context: Context, series: Series) -> date:
    found = baselines(context, series)
    return found[0].day if found else anchor_or_order(context)


def _to_previous(apart: int) -> Against:
    def previous(context: Context, series: Series, point: Point) -> Point | None:
        first = _from_baseline(context, series)
        end = bisect_right(series.points, point.day - timedelta(days=apart), key=_day)
        back = (series.points[place] for place in range(end - 1, -1, -1))
        near = takewhile(lambda one: one.day >= first, (o for o in back if o.day < point.day))
        return next((one for one in near if comparable(one, point)), None)

    return previous


def _day(point: Point) -> date:
    return point.day


def _to_best(context: Context, series: Series, point: Point) -> Point | None:
    found = (one for one in _bests(context, series)[point.day] if comparable(one, point))
    return _best(context, series, sorted(found, key=_day))


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


@once
def _change(
    context: Context, series: Series, against: Against, word: str, point: Point
) -> Change | None:
    base = against(context, series, point)
    measure = context.facts.terminology.measure(series.measure)
    return Change(measure, base, point, word) if base else None


def _pairs(
    context: Context, series: Series, points: Sequence[Point], against: Against, word: str
) -> _Pairs:
    has_base = word == "baseline" and bool(baselines(context, series))
    changes, odd = [], []
    for point in points:
        if change := _change(context, series, against, word, point):
            changes.append(change)
        elif has_base:
            odd.append(point)
    return _Pairs(tuple(changes), tuple(odd))


def _in_days(spec: Spec) -> Callable[[date, Point], bool] | None:
    """Return what tells whether a point lies in the days of the episode asked about, if any are."""
    span = spec.get("days")
    if not span:
        return None
    first = fields.whole(span["from"]) if "from" in span else None
    last = fields.whole(span["to"]) if "to" in span else None

    def inside(anchor: date, point: Point) -> bool:
        day = (point.day - anchor).days
        return (first is None or day >= first) and (last is None or day <= last)

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
    verdict, inside = _verdict(spec), _in_days(spec)
    against, word = _against(spec)
    point = spec.get("point", "current")
    lasting = fields.whole(spec["lasting"]) if "lasting" in spec else None

    def judge(context: Context, series: Series) -> Judged | None:
        after: Sequence[Point] = follow_ups(context, series)
        if inside:
            anchor = anchor_or_order(context)
            after = [one for one in after if inside(anchor, one)]
        chosen = _chosen(context, after, point, lasting)
        pairs = _pairs(context, series, chosen, against, word)
        if point == "latest-two":
            pairs = _since_previous(pairs, after)
        judged = [(verdict(context, change), change) for change in pairs.changes]
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
    return status, [change.finding for one, change in judged if one is status]


def _lasted(judged: Sequence[tuple[Status, Change]], days: int, *, newest: bool) -> Judged:
    """Whether the change holds at two measurements so far apart; the newest must be one."""
    status = Status.NOT_MET
    for kept in ((Status.MET,), (Status.MET, Status.UNKNOWN)):
        held = [change for one, change in judged if one in kept]
        if not held or (newest and held[-1] is not judged[-1][1]):
            continue
        if (held[-1].point.day - held[0].point.day).days >= days:
            status = Status.MET if Status.UNKNOWN not in kept else Status.UNKNOWN
            return status, [held[0].finding, held[-1].finding]
    return status, [judged[-1][1].finding]


def _undecided(context: Context, series: Series, odd: Sequence[Point]) -> Judged | None:
    """Return unknown when a measurement is there that cannot be used, None when there is none."""
    first = anchor_or_order(context)
    doubtful = [
        point for point in (*series.partial, *series.preliminary) if point.days.last > first
    ]
    findings = [point.finding for point in (*odd, *doubtful)]
    return (Status.UNKNOWN, findings) if findings else None
