"""How scores went over time, beside visits and what the policy wants: what a picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from cds_service.evidence.context import Context
from cds_service.evidence.measures import Measures, Series, baselines
from cds_service.evidence.points import Point
from cds_service.evidence.verdicts import reached_at
from cds_service.evidence.visits import Visit, Visits, episode
from cds_service.policies.policy import Policy
from cds_service.policies.targets import Target
from cds_service.review import Case, Payer, Rules, facts_of, group_of, payers_of
from cds_service.terminology import Measure, Parameter

SHOWN = frozenset(
    {"pain", "function", "pain-frequency", "pain-and-function", "comfort", "promis-29", "mood"}
)
HIDDEN = "promis-raw"
MARGIN = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Band:
    """Where a target wants scores to be: from day `first` to `last` (None: on), from `edge` on in
    the direction that is better."""

    rule: str
    first: date
    last: date | None
    edge: Fraction
    size: str


@dataclass(frozen=True, slots=True)
class Step:
    """The smallest difference that patients notice: its `size`, and the value one better than the
    baseline by that."""

    value: Fraction
    size: Parameter


@dataclass(frozen=True, slots=True)
class Line:
    """One measure: its points (also those of partial date or preliminary), which one is the
    baseline, and the ends of its axis."""

    measure: Measure
    series: Series
    baseline: Point | None
    step: Step | None
    bands: tuple[Band, ...]
    low: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True)
class Course:
    """The scores of a patient as one policy reads them, up to the order's `day`.

    `anchor` is the day of the first visit of the episode (None: care has not begun), `visits` are
    all on file, also those of partial date.
    """

    coverage: str | None
    policy: Policy | None
    day: date
    anchor: date | None
    visits: tuple[Visit, ...]
    lines: tuple[Line, ...]


def courses(case: Case, rules: Rules) -> list[Course]:
    """Return the course under each coverage; without one, under no policy.

    Empty where no order is in scope.
    """
    group = group_of(case, rules)
    if not group.orders:
        return []
    payers = payers_of(case, group, rules) or [Payer(None, None, None)]
    facts = facts_of(case, rules)
    made = []
    for payer in payers:
        judge = payer.policy or rules.library.unrouted
        reference = payer.coverage.reference if payer.coverage else None
        context = Context(facts, group.under(reference), payer.coverage, judge.numbers)
        made.append(_course(context, reference, payer.policy, judge))
    return made


def _course(context: Context, coverage: str | None, policy: Policy | None, judge: Policy) -> Course:
    visits = context.facts.of(Visits)
    return Course(
        coverage=coverage,
        policy=policy,
        day=context.facts.day,
        anchor=episode(context).anchor,
        visits=(*visits.dated, *visits.undated),
        lines=tuple(_lines(context, judge)),
    )


def _lines(context: Context, judge: Policy) -> Iterator[Line]:
    held = context.facts.of(Measures).by_id
    for measure in context.facts.terminology.measures.values():
        if measure.id in held and _is_shown(measure):
            yield _line(context, judge, measure, held[measure.id])


def _is_shown(measure: Measure) -> bool:
    directed = measure.better in ("lower", "higher")
    return directed and bool(measure.groups & SHOWN) and HIDDEN not in measure.groups


def _line(context: Context, judge: Policy, measure: Measure, series: Series) -> Line:
    found = baselines(context, series)
    baseline = next((point for point in found if len(point.values) == 1), None)
    step = _step(context, judge, measure, baseline)
    bands = tuple(_bands(context, judge, measure, baseline))
    low, high = _axis(measure, series, step, bands)
    return Line(measure, series, baseline, step, bands, low, high)


def _step(context: Context, judge: Policy, measure: Measure, baseline: Point | None) -> Step | None:
    """Return where the difference that counts is reached; None where the scale ends before."""
    size = judge.parameters.get(measure.mcid or "")
    if baseline is None or size is None:
        return None
    value = reached_at(context, measure, baseline.values[0], "mcid")
    low, high = _ends(measure)
    return None if value is None or not low <= value <= high else Step(value, size)


def _bands(
    context: Context, judge: Policy, measure: Measure, baseline: Point | None
) -> Iterator[Band]:
    """Yield what the policy wants; before the first visit there is no day to count from."""
    anchor = episode(context).anchor
    if anchor is None or baseline is None:
        return
    for target in judge.targets:
        if measure.id not in context.facts.terminology.measures_of(target.of):
            continue
        edge = reached_at(context, measure, baseline.values[0], target.size)
        if edge is not None:
            yield _band(target, anchor, edge)


def _band(target: Target, anchor: date, edge: Fraction) -> Band:
    first = anchor + timedelta(days=int(target.first))
    last = None if target.before is None else anchor + timedelta(days=int(target.before) - 1)
    size = target.size if isinstance(target.size, str) else f"{float(target.size['percent']):g} %"
    return Band(target.rule, first, last, edge, size)


def _axis(
    measure: Measure, series: Series, step: Step | None, bands: tuple[Band, ...]
) -> tuple[Fraction, Fraction]:
    """Return the ends of the axis: the whole scale, or what is used of one without a best value."""
    least, most = _ends(measure)
    if measure.ideal is not None:
        return least, most
    points = (*series.points, *series.partial, *series.preliminary)
    used = [value for point in points for value in point.values]
    used += [band.edge for band in bands] + ([step.value] if step else [])
    room = max((max(used) - min(used)) * MARGIN, Fraction(1)) if used else Fraction(0)
    low, high = (min(used) - room, max(used) + room) if used else (least, most)
    return max(low, least), min(high, most)


def _ends(measure: Measure) -> tuple[Fraction, Fraction]:
    """Return the ends of a measure's scale; no score lies beyond."""
    ends = [form.canonical(end) for form in measure.forms for end in (form.low, form.high)]
    scale = [end for end in ends if end is not None]
    return min(scale), max(scale)
