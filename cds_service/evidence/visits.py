"""Massage visits and the episode of care they make (G-10, G-11)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate, filterfalse

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Finding
from cds_service.evidence.codings import resolve, status
from cds_service.evidence.context import Context, Facts, once
from cds_service.evidence.dates import Days
from cds_service.evidence.diagnoses import INACTIVE, is_told
from cds_service.evidence.given import Given, Treatments
from cds_service.evidence.people import People, performers
from cds_service.evidence.quantities import Quantity, quantity
from cds_service.record.model import Resource

MASSAGE = "massage-procedure"
MANUAL, ONLY_MASSAGE = "manual-therapy-procedure", "massage-therapy-procedure"
THERAPY, THERAPIST = "physical-therapy", "role-physical-therapist"
MASSAGE_THERAPIST = "role-massage-therapist"
KEYS = ("procedures", "encounters")
WEEK = 7
UNSUPPORTED = frozenset(
    {"refuted", "entered-in-error", "unconfirmed", "provisional", "differential"}
)


class Visit(Struct, frozen=True):
    """One day of massage, or a visit of which only month or year, or no date at all is known."""

    days: Days
    finding: Finding


class Visits:
    """Visits up to the order's date: `dated`, oldest first and one a day, and `undated`.

    `undated` are visits whose date is partial; `notes` says what was left out.
    """

    def __init__(self, facts: Facts) -> None:
        self.day = facts.day
        told = list(_found(facts))
        within = [visit for visit, part in told if part]
        aside = [] if not within or _ordered_of_therapist(facts) else within
        found = [visit for visit, part in told if not (part and aside)]
        came = [visit for visit in found if visit.days.first <= facts.day]
        self.dated = _one_a_day(visit for visit in came if visit.days.exact)
        self.undated = [visit for visit in came if not visit.days.exact]
        late = (
            f"{visit.finding.reference} is dated after the order ({visit.finding.date}): "
            "not counted as a visit"
            for visit in found
            if visit.days.first > facts.day
        )
        self.notes = (*late, *_told_aside(aside))
        self.onsets = _onsets(facts)


class Episode(Struct, frozen=True):
    """The current episode: its visits, oldest first, and its anchor, the day of the first.

    `undated` visits fall into it for certain, `unsure` ones may.
    """

    visits: tuple[Visit, ...]
    undated: tuple[Visit, ...] = ()
    unsure: tuple[Visit, ...] = ()

    @property
    def anchor(self) -> date | None:
        """Day of the first visit; None when care has not begun."""
        return self.visits[0].days.first if self.visits else None


@once
def episode(context: Context) -> Episode:
    """Return the episode that is running on the order's date.

    It ended when no visit followed for more than `episode-gap-days`, or when a new onset of the
    treated condition is documented after the last visit.
    """
    gap = fields.whole(context.numbers["episode-gap-days"])
    return _episode(context.facts.of(Visits), gap)


def anchor_or_order(context: Context) -> date:
    """Return the episode's first day; care not yet begun would begin with the order."""
    return episode(context).anchor or context.facts.day


def _episode(visits: Visits, gap: int) -> Episode:
    running: list[Visit] = []
    following = visits.day
    for visit in reversed(visits.dated):
        day = visit.days.first
        if (following - day).days > gap or _new_onset(visits.onsets, day, following):
            break
        running.append(visit)
        following = day
    earliest = following - timedelta(days=gap)
    near = [visit for visit in visits.undated if visit.days.last >= earliest]

    def sure(visit: Visit) -> bool:
        return bool(running) and _sure(visit, following, visits.day)

    running.reverse()
    return Episode(tuple(running), tuple(filter(sure, near)), tuple(filterfalse(sure, near)))


def _new_onset(onsets: Sequence[Days], last: date, following: date) -> bool:
    start, end = (bisect_right(onsets, day, key=_first) for day in (last, following))
    return any(onset.last <= following for onset in onsets[start:end])


def _first(onset: Days) -> date:
    return onset.first


def _found(facts: Facts) -> Iterable[tuple[Visit, bool]]:
    """Yield what may be visits of massage, and whether each was a part of physical therapy."""
    for given in facts.of(Treatments).of("completed"):
        if visit := _given_visit(given, "Massage visit", facts.day):
            yield visit, _within_therapy(facts, given)
    for encounter in facts.record.of_type("Encounter"):
        if fields.text(encounter, "status") == "finished":
            sets = fields.value_sets(facts, _kinds(encounter))
            if MASSAGE in sets:
                yield _visit(facts, encounter), THERAPY in sets and _is_manual(sets)


def _told_aside(visits: Sequence[Visit]) -> Iterable[str]:
    if visits:
        last = max(visits, key=lambda visit: visit.days.first)
        yield (
            f"Manual therapy within physical therapy ({len(visits)}, last "
            f"{last.finding.reference} of {last.finding.date}): not counted as visits of massage"
        )


def _ordered_of_therapist(facts: Facts) -> bool:
    """Whether a physical therapist is to give what is ordered: then their visits are its course."""
    people = (person for order in _massage_orders(facts) for person in performers(facts, order))
    return any(THERAPIST in person.roles for person in people)


def _within_therapy(facts: Facts, given: Given) -> bool:
    """Whether manual therapy was part of physical therapy: by its encounter or who gave it."""
    if not _is_manual(given.sets):
        return False
    encounter = resolve(facts.record, given.resource, fields.item(given.resource, "encounter"))
    if encounter and THERAPY in fields.value_sets(facts, _kinds(encounter)):
        return True
    roles = _roles(facts, given.resource)
    return THERAPIST in roles and MASSAGE_THERAPIST not in roles


def _roles(facts: Facts, procedure: Resource) -> frozenset[str]:
    """Return the roles of those who gave a treatment, as far as the record knows them."""
    told = fields.items(procedure, "performer")
    actors = [fields.item(one, "actor") for one in told]
    people = [facts.of(People).person(procedure, actor) for actor in actors if actor]
    functions = fields.value_sets(facts, [one.get("function") for one in told])
    return functions.union(*(person.roles for person in people))


def _is_manual(sets: frozenset[str]) -> bool:
    return MANUAL in sets and ONLY_MASSAGE not in sets


def _kinds(encounter: Resource) -> list[object]:
    return [*fields.items(encounter, "type"), encounter.get("serviceType")]


def _given_visit(given: Given, title: str, until: date) -> Visit | None:
    if MASSAGE not in given.sets:
        return None
    day = given.days.first if given.days else None
    told = Finding(given.reference, given.written, given.code, title, day, via=given.via)
    return Visit(given.days or _ever(until), told)


def _ever(until: date) -> Days:
    """Return when a visit without a date may have been."""
    return Days(date.min, until)


def _visit(facts: Facts, encounter: Resource) -> Visit:
    kinds = _kinds(encounter)
    days, written = fields.first_date(facts, fields.period_start(encounter, "period"))
    code = next((code for _, code in fields.codings(kinds)), None)
    via = fields.via(facts, kinds)
    name, day = fields.identity(encounter), days.first if days else None
    told = Finding(name, written, code, "Massage visit", day, via=via)
    return Visit(days or _ever(facts.day), told)


def _one_a_day(visits: Iterable[Visit]) -> tuple[Visit, ...]:
    by_day: dict[date, Visit] = {}
    for visit in visits:
        by_day.setdefault(visit.days.first, visit)
    return tuple(by_day[day] for day in sorted(by_day))


def _onsets(facts: Facts) -> tuple[Days, ...]:
    """Return when the treated condition, or a new injury that is the reason, began, in order.

    What an encounter tells again of a condition that goes on is no new onset: records give each
    encounter's diagnosis the day of the encounter.
    """
    treated = list(_treated(facts))
    onsets = [(one, onset) for one in treated if (onset := _onset(facts, one))]
    told = {onset for one, onset in onsets if is_told(one)}
    new = {onset for one, onset in onsets if not is_told(one)}
    if told:
        goes_on = _going_on(facts, treated)
        new |= {onset for onset in told if not goes_on(onset)}
    return tuple(sorted(new, key=_first))


def _going_on(facts: Facts, treated: Iterable[Resource]) -> Callable[[Days], bool]:
    """Return whether one of the conditions had begun before some days and not ended by then."""
    spans = sorted(span for one in treated if (span := _span(facts, one)))
    begins, lasting = [begun for begun, _ in spans], [*accumulate((end for _, end in spans), max)]

    def goes_on(at: Days) -> bool:
        before = bisect_left(begins, at.first)
        return before > 0 and lasting[before - 1] > at.last

    return goes_on


def _span(facts: Facts, condition: Resource) -> tuple[date, date] | None:
    """Return the days by which a condition had begun, and from which it may have ended."""
    began = _onset(facts, condition)
    if began is None:
        began, _ = fields.first_date(facts, fields.text(condition, "recordedDate"))
    ended, _ = fields.first_date(facts, fields.text(condition, "abatementDateTime"))
    over = ended is None and status(condition, "clinicalStatus") in INACTIVE
    return None if began is None or over else (began.last, ended.first if ended else date.max)


def _treated(facts: Facts) -> Iterable[Resource]:
    orders = _massage_orders(facts)
    reasons = [r for order in orders for r in fields.items(order, "reasonReference")]
    named = {fields.reference(reason) for reason in reasons}
    stated = {
        coding
        for order in orders
        for coding in fields.known_codes(facts, fields.items(order, "reasonCode"))
    }
    for condition in facts.record.of_type("Condition"):
        same = stated.intersection(fields.known_codes(facts, [condition.get("code")]))
        verified = fields.codes(fields.items(condition, "verificationStatus"))
        if (same or fields.identity(condition) in named) and not verified & UNSUPPORTED:
            yield condition


def _massage_orders(facts: Facts) -> list[Resource]:
    orders = [order for order in facts.orders if isinstance(order, dict)]
    massage = [o for o in orders if MASSAGE in fields.value_sets(facts, [o.get("code")])]
    return massage or orders


def _onset(facts: Facts, condition: Resource) -> Days | None:
    start = fields.period_start(condition, "onsetPeriod")
    return fields.first_date(facts, fields.text(condition, "onsetDateTime"), start)[0]


@quantity("visits.missed-recent", keys=("procedures",))
def visits_missed_recent(context: Context) -> Quantity:
    """Days of the last `recent-planned-visits` planned ones on which no massage was given."""
    given = {visit.days.first for visit in context.facts.of(Visits).dated}
    missed = {v.days.first: v for v in _missed(context.facts) if v.days.first not in given}
    last = sorted(given | missed.keys())[-fields.whole(context.numbers["recent-planned-visits"]) :]
    found = [missed[day].finding for day in last if day in missed]
    return Quantity(Fraction(len(found)), tuple(found), fields.holes_of(context, "procedures"))


def _missed(facts: Facts) -> Iterable[Visit]:
    """Yield massage that was planned for a day up to the order's and not done."""
    for given in facts.of(Treatments).of("not-done"):
        visit = _given_visit(given, "Massage visit that was missed", facts.day)
        if visit and visit.days.exact and visit.days.first <= facts.day:
            yield visit


def _count(context: Context, visits: Iterable[Visit], unsure: Iterable[Visit]) -> Quantity:
    """Return how many visits there were, with bounds when a partial date leaves it open."""
    counted, doubtful = list(visits), [visit.finding for visit in unsure]
    findings = (*(visit.finding for visit in counted), *doubtful)
    holes = fields.holes_of(context, *KEYS)
    least = Fraction(len(counted))
    if not doubtful:
        return Quantity(least, findings, holes)
    most = None if holes else least + len(doubtful)
    return Quantity(None, findings, holes, low=least, high=most)


def _counted_from(context: Context, first: date) -> Quantity:
    """Count the visits from a day on; a partial date that lies after it for certain counts."""
    visits = context.facts.of(Visits)
    inside = [visit for visit in visits.undated if _sure(visit, first, visits.day)]
    late = [visit for visit in visits.undated if visit.days.last >= first]
    open_ = [visit for visit in late if not _sure(visit, first, visits.day)]
    dated = [visit for visit in visits.dated if visit.days.first >= first]
    return _count(context, [*dated, *inside], open_)


def _sure(visit: Visit, first: date, last: date) -> bool:
    return first <= visit.days.first and visit.days.last <= last


@quantity("visits.year", keys=KEYS)
def visits_year(context: Context) -> Quantity:
    """Visits in the `benefit-year-days` that end on the order's date."""
    length = fields.whole(context.numbers["benefit-year-days"])
    return _counted_from(context, context.facts.day - timedelta(days=length - 1))


@quantity("visits.calendar-year", keys=KEYS)
def visits_calendar_year(context: Context) -> Quantity:
    """Visits since 1 January of the order's year."""
    return _counted_from(context, context.facts.day.replace(month=1, day=1))


@quantity("visits.episode", keys=(*KEYS, "conditions"))
def visits_episode(context: Context) -> Quantity:
    """Visits of the current episode; one on the order's own date is a visit already given."""
    current = episode(context)
    return _count(context, [*current.visits, *current.undated], current.unsure)


@quantity("episode.day", keys=(*KEYS, "conditions"))
def episode_day(context: Context) -> Quantity:
    """Days from the first visit of the episode to the order; 0 when care has not begun."""
    current, day = episode(context), context.facts.day
    holes = fields.holes_of(context, *KEYS)
    least = Fraction((day - (current.anchor or day)).days)
    if not current.unsure:
        return Quantity(least, tuple(visit.finding for visit in current.visits[:1]), holes)
    earliest = min(visit.days.first for visit in current.unsure)
    ever = holes or earliest == date.min
    most = None if ever else max(least, Fraction((day - earliest).days))
    findings = tuple(visit.finding for visit in current.unsure)
    return Quantity(None, findings, holes, low=least, high=most)


@quantity("visits.per-week-recent", keys=KEYS)
def visits_per_week_recent(context: Context) -> Quantity:
    """Visits a week in the last `recent-visits-days`.

    The window ends on the order's date when a visit was given on it, else on the day before, so
    that a weekly rhythm counts the same on whatever day of it the order is signed.
    """
    length = fields.whole(context.numbers["recent-visits-days"])
    day = context.facts.day
    today = any(visit.days.first == day for visit in context.facts.of(Visits).dated)
    found = _counted_from(context, day - timedelta(days=length - 1 if today else length))
    rate = Fraction(WEEK, length)
    scaled = (n if n is None else n * rate for n in (found.value, found.low, found.high))
    value, low, high = scaled
    return Quantity(value, found.findings, found.holes, low, high)
