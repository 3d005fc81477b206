"""Measures as dated series: scores and vital signs from Observations and forms (G-06, G-12).

A form and the Observation derived from it are one measurement. PROMIS scores of an instrument and
of its item bank are one series for each domain, because the bank's scores are what the four-item
forms report; versions that are known to differ are not compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.conditions import Conditions, latest
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf, once
from cds_service.evidence.fits import BOUNDS, Fits, all_of, fits_of, not_before
from cds_service.evidence.points import Point, in_order, readings
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import MASSAGE, anchor_or_order, episode
from cds_service.record.model import Resource
from cds_service.terminology import Measure, Terminology

KEYS = ("measures", "responses")
VITALS = frozenset({"vital", "laboratory", "pregnancy"})
EXAMS = "exam"
ANCHOR_KEYS = (*VISIT_KEYS, "conditions")
"""What tells when an episode began: visits, and a new onset (G-11)."""
EXTENDED = frozenset({"active", "completed", "on-hold"})


class Series(Struct, frozen=True, eq=False):
    """The measurements of one measure up to the order's date, oldest first and one a day.

    `partial` are those whose date is partial, `preliminary` those not finalised.
    """

    measure: str
    points: tuple[Point, ...] = ()
    partial: tuple[Point, ...] = ()
    preliminary: tuple[Point, ...] = ()


class Measures:
    """Every series that holds anything `by_id` of its measure; `notes` says what was left out.

    `twice` are the points that stand for a day with several values, each with a remark on it.
    """

    def __init__(self, facts: Facts) -> None:
        found, notes = readings(facts)
        left_out = list(notes)
        self.twice: list[tuple[Point, str]] = []
        by_measure: dict[str, list[Point]] = defaultdict(list)
        for point in found:
            if point.days.first > facts.day:
                left_out.append(f"{_said(point)} is dated after the order: not used")
            else:
                by_measure[point.measure].append(point)
        self.by_id = {name: self._make(name, points) for name, points in by_measure.items()}
        self.notes = tuple(left_out)

    def series(self, measure: str) -> Series:
        """Return the series of a measure, empty when it was never measured."""
        return self.by_id.get(measure) or Series(measure)

    def _make(self, name: str, points: Sequence[Point]) -> Series:
        final = [point for point in points if not point.preliminary]
        preliminary = [point for point in points if point.preliminary]
        said = {(point.days, point.content) for point in final} if preliminary else set()
        return Series(
            name,
            self._one_a_day(point for point in final if point.days.exact),
            tuple(point for point in final if not point.days.exact),
            tuple(p for p in preliminary if (p.days, p.content) not in said),
        )

    def _one_a_day(self, points: Iterable[Point]) -> tuple[Point, ...]:
        by_day: dict[date, Point] = {}
        for point in sorted(points, key=in_order):
            before = by_day.get(point.day)
            if before and before.content == point.content and before.source <= point.source:
                continue
            if before and before.content != point.content:
                told = f"{_said(before)} and {_said(point)} are of one day: the later is used"
                self.twice.append((point, told))
            by_day[point.day] = point
        return tuple(by_day[day] for day in sorted(by_day))


def _said(point: Point) -> str:
    return f"{point.finding.text} {point.finding.value} ({point.finding.reference})"


def series_of(context: Context, names: Iterable[str]) -> list[Series]:
    """Return the series of measures and groups of measures that hold anything, each once."""
    held = context.facts.of(Measures).by_id
    ids = context.facts.terminology.measures_of(names)
    return [held[one] for one in ids if one in held]


@once
def first_baseline_day(context: Context) -> date:
    """Return the first day on which a baseline can lie."""
    before = fields.whole(context.numbers["baseline-days-before"])
    return anchor_or_order(context) - timedelta(days=before)


@once
def baselines(context: Context, series: Series) -> tuple[Point, ...]:
    """Return the points that can be the baseline, the best first (G-11).

    The latest in the `baseline-days-before` the episode's first day, else the first within
    `baseline-days-after`, which says so. Before care has begun, the order's date is that day.
    """
    anchor, first = anchor_or_order(context), first_baseline_day(context)
    last = anchor + timedelta(days=fields.whole(context.numbers["baseline-days-after"]))
    before = [point for point in series.points if first <= point.day <= anchor]
    if before:
        return tuple(reversed(before))
    return tuple(
        replace(point, late_baseline=True) for point in series.points if anchor < point.day <= last
    )


@once
def follow_ups(context: Context, series: Series) -> tuple[Point, ...]:
    """Return the points after the baseline, or after the first visit when there is none."""
    found = baselines(context, series)
    after = found[0].day if found else anchor_or_order(context)
    return tuple(point for point in series.points if point.day > after)


def current(context: Context, points: Sequence[Point]) -> Point | None:
    """Return the newest of the points if it is at most `current-days` old."""
    oldest = context.facts.day - timedelta(days=fields.whole(context.numbers["current-days"]))
    return points[-1] if points and points[-1].day >= oldest else None


@once
def earliest_baseline(context: Context) -> date | None:
    """Return the first day on which any measure has its baseline; None before care began."""
    if episode(context).anchor is None:
        return None
    every = (baselines(context, series) for series in context.facts.of(Measures).by_id.values())
    return min((found[0].day for found in every if found), default=None)


@once
def _previous_order(context: Context) -> date | None:
    """Return the day of the last massage order before this one within the episode.

    An order that another performer carries out is a course of its own, not an earlier part.
    """
    facts, anchor = context.facts, episode(context).anchor
    drafts = [order for order in facts.orders if isinstance(order, dict)]
    ids = {fields.text(order, "id") for order in drafts} - {None}
    performers = _performers(drafts)
    days = (
        _ordered_on(facts, one)
        for one in facts.record.of_type("ServiceRequest")
        if fields.text(one, "status") in EXTENDED
        and fields.text(one, "id") not in ids
        and MASSAGE in fields.value_sets(facts, [one.get("code")])
        and (not _performers([one]) or _performers([one]) & performers)
    )
    within = [day for day in days if day and anchor and anchor < day < facts.day]
    return max(within, default=None)


def _performers(orders: Iterable[Resource]) -> frozenset[str]:
    named = (fields.reference(p) for order in orders for p in fields.items(order, "performer"))
    return frozenset(one for one in named if one)


def _ordered_on(facts: Facts, order: Resource) -> date | None:
    days, _ = fields.first_date(facts, fields.text(order, "authoredOn"))
    return days.first if days and days.exact else None


Choice = Callable[[Context, Series], Sequence[Point]]
Test = Callable[[Context], Fits]


def _any(_context: Context, series: Series) -> Sequence[Point]:
    return series.points


def _latest(_context: Context, series: Series) -> Sequence[Point]:
    return series.points[-1:]


def _baseline(context: Context, series: Series) -> Sequence[Point]:
    return baselines(context, series)[:1]


def _current(context: Context, series: Series) -> Sequence[Point]:
    begun = episode(context).anchor is not None
    found = current(context, follow_ups(context, series) if begun else series.points)
    return [found] if found else []


def _new(context: Context, series: Series) -> Sequence[Point]:
    previous = _previous_order(context) or date.min
    return [point for point in follow_ups(context, series) if point.day > previous]


CHOICES: Mapping[str, Choice] = {
    "any": _any,
    "latest": _latest,
    "baseline": _baseline,
    "current": _current,
    "new": _new,
}


def keys_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the query keys that bring measures, given by id or group.

    Vital signs and laboratory results come by a query of their own, and findings of an
    examination also by their category; a score can stand in a form.
    """
    terminology = Terminology.load()
    measures = [terminology.measure(one) for one in terminology.measures_of(names)]
    keys = (key for measure in measures for key in _keys_of(measure))
    return tuple(dict.fromkeys(keys))


def _keys_of(measure: Measure) -> Iterable[str]:
    yield "vitals" if measure.groups & VITALS else "measures"
    if EXAMS in measure.groups:
        yield "exams"
    if measure.questionnaires or not measure.groups & (VITALS | {EXAMS}):
        yield "responses"


def _keys(spec: Spec) -> tuple[str, ...]:
    keys = [*keys_of(fields.names(spec["of"])), *(ANCHOR_KEYS if _anchored(spec) else ())]
    keys += ["orders"] if spec.get("point") == "new" else []
    return tuple(dict.fromkeys([*keys, *(["conditions"] if "ended-by" in spec else [])]))


def _anchored(spec: Spec) -> bool:
    """Whether a question depends on the day on which the episode began."""
    return "since" in spec or spec.get("point") in ("baseline", "current", "new")


@leaf("measure", keys=_keys)
def measure(spec: Spec) -> Leaf:
    """Ask for a valid measurement, of some value, some age, or several of them apart."""
    of, keys = fields.names(spec["of"]), _keys(spec)
    suspect, anchored = spec.get("use") == "safety", _anchored(spec)
    choose, tests = CHOICES[spec.get("point", "any")], list(_tests(spec))
    times, apart = fields.whole(spec.get("times", 1)), fields.whole(spec.get("apart", 1))

    def test(context: Context, points: Sequence[Point]) -> list[tuple[Status, Point]]:
        if not points:
            return []
        fits = all_of([one(context) for one in tests])
        return [(fits(point), point) for point in points]

    def ask(context: Context) -> Answer:
        found: list[tuple[Status, Finding]] = []
        against: list[Finding] = []
        for found_series in series_of(context, of):
            series = suspecting(found_series) if suspect else found_series
            chosen = test(context, choose(context, series))
            doubtful = test(context, (*series.partial, *series.preliminary))
            found += _shown(chosen, times, apart) or _unsure([*chosen, *doubtful])
            against += [point.finding for _, point in chosen[-1:]]
        if anchored and _start_unread(context):
            found = [(Status.UNKNOWN, finding) for _, finding in found]
        return fields.answer(found, fields.holes_of(context, *keys), against)

    return ask


def _start_unread(context: Context) -> bool:
    """Whether care seems not to have begun only because it could not be read."""
    return episode(context).anchor is None and bool(fields.holes_of(context, *ANCHOR_KEYS))


def suspecting(series: Series) -> Series:
    """Return a series in which results that are not final count, as they do for safety."""
    if not series.preliminary:
        return series
    exact = [point for point in series.preliminary if point.days.exact]
    points = sorted([*series.points, *exact], key=in_order)
    partial = [point for point in series.preliminary if not point.days.exact]
    return replace(
        series, points=tuple(points), partial=(*series.partial, *partial), preliminary=()
    )


def _tests(spec: Spec) -> Iterator[Test]:
    """Yield what tells, in a question, whether a point has the value, is recent, late enough."""
    fits = fits_of(spec)
    limit = fields.whole(spec["within"]) if spec.get("within") is not None else None
    if spec.keys() & {*BOUNDS, "flagged", "coded-in"}:
        yield lambda _context: fits
    if limit is not None:
        yield lambda context: lambda point: fields.recent(context.facts, point.days, limit)
    if spec.get("since") == "baseline":
        yield lambda context: not_before(first_baseline_day(context))
    elif spec.get("since") == "anchor":
        yield lambda context: _since(episode(context).anchor)
    if ends := frozenset(fields.names(spec.get("ended-by"))):
        yield lambda context: _not_ended(context, ends)


def _not_ended(context: Context, sets: frozenset[str]) -> Fits:
    """Tell whether a point is of the day of the newest diagnosis in the sets, or later.

    A diagnosis that could not be read may have ended it.
    """
    fits = not_before(latest(context.facts.of(Conditions).facts, sets))
    if not fields.holes_of(context, "conditions"):
        return fits
    return lambda point: fields.weakest([fits(point), Status.UNKNOWN])


def _since(anchor: date | None) -> Fits:
    return lambda point: fields.since(anchor, point.days)


def _shown(
    judged: Sequence[tuple[Status, Point]], times: int, apart: int
) -> list[tuple[Status, Finding]]:
    """Return the points that fit when there are as many as asked, so far apart."""
    fitting = [point for status, point in judged if status is Status.MET]
    if times <= 1:
        return [(Status.MET, point.finding) for point in fitting]
    counted: list[Point] = []
    for point in sorted(fitting, key=in_order, reverse=True):
        if not counted or (counted[-1].day - point.day).days >= apart:
            counted.append(point)
    return [(Status.MET, point.finding) for point in counted] if len(counted) >= times else []


def _unsure(judged: Iterable[tuple[Status, Point]]) -> list[tuple[Status, Finding]]:
    """Return what may fit and does not count: a partial date, not finalised, no clear scale."""
    return [
        (Status.UNKNOWN, point.finding)
        for status, point in judged
        if status is Status.UNKNOWN
        or (status is Status.MET and (point.preliminary or not point.days.exact))
    ]
