"""Diagnoses of the record and the reasons of the orders (G-05, G-07, G-08, G-09)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown
from cds_service.evidence.codings import belongs, regions, resolve, status, value
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.fields import Coding
from cds_service.evidence.orders import OrderFact
from cds_service.evidence.sites import at_ordered_site
from cds_service.evidence.windows import Span, span
from cds_service.record.model import Resource
from cds_service.terminology.systems import ICD10CM, normal_code, normal_system

DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
ACTIVE = frozenset({"active", "recurrence", "relapse"})
INACTIVE = frozenset({"inactive", "remission", "resolved"})
DROPPED = frozenset({"refuted", "entered-in-error"})
ICD_CATEGORY = 3


@dataclass(frozen=True, slots=True)
class ConditionFact:
    """A diagnosis on file, or a reason of the order that nothing on file bears out.

    `clinical` and `verification` are status codes or None; `still` tells that it is marked as over
    but ended only after the order's date. `onset`, `recorded`, `abated` are days or None; `written`
    is the date shown to people. `due_to` are value sets of its cause, `reason` whether the orders
    give it as their reason, `stated` whether only the orders state it.
    """

    reference: str
    codings: tuple[Coding, ...]
    text: str
    value_sets: frozenset[str]
    due_to: frozenset[str]
    clinical: str | None
    verification: str | None
    onset: Days | None
    recorded: Days | None
    abated: Days | None
    written: str | None
    regions: frozenset[str]
    side: str | None
    still: bool = False
    reason: bool = False
    stated: bool = False

    @property
    def suspected(self) -> bool:
        """Whether it is not confirmed; a status that is absent counts as confirmed."""
        return self.verification not in (None, "confirmed")

    @property
    def over(self) -> bool:
        """Whether it is inactive, in remission or resolved on the order's date."""
        return self.clinical in INACTIVE and not self.still

    def finding(self, on: date) -> Finding:
        """Return it as evidence; `day` is the newest day it can have begun on."""
        days = self.onset or self.recorded
        return Finding(
            reference=self.reference,
            date=self.written,
            value=value([{"coding": [{"code": code} for _, code in self.codings]}]),
            text=self.text,
            day=min(days.last, on) if days else None,
            regions=self.regions,
            side=self.side,
            suspected=self.suspected,
            value_sets=self.value_sets,
        )


class Conditions:
    """The diagnoses of a record on the order's date.

    `facts` leaves out refuted, erroneous and future-dated ones and those of other patients;
    `refuted` are kept apart, because they contradict a reason of the order. `notes` are remarks.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts: list[ConditionFact] = []
        self.refuted: list[ConditionFact] = []
        self.notes: list[str] = []
        for resource in facts.record.of_type("Condition"):
            if isinstance(resource, dict):
                self._take(resource, facts)

    def _take(self, resource: Resource, facts: Facts) -> None:
        fact = condition_fact(resource, facts)
        if not belongs(resource, "subject", facts.record.patient_id):
            return
        if fact.verification == "refuted":
            self.refuted.append(fact)
        elif fact.verification == "entered-in-error":
            return
        elif _future(fact, facts.day):
            self.notes.append(f"{fact.reference} bears a date after the order's and is left out.")
        else:
            self.facts.append(fact)


def _future(fact: ConditionFact, on: date) -> bool:
    return any(days is not None and days.first > on for days in (fact.onset, fact.recorded))


def condition_fact(resource: Resource, facts: Facts) -> ConditionFact:
    """Read one Condition."""
    code = fields.item(resource, "code")
    recorded, recorded_text = fields.first_date(
        facts, fields.text(resource, "recordedDate"), fields.text(resource, "dateRecorded")
    )
    onset, onset_text = _onset(resource, facts)
    abated = _abated(resource, facts)
    where, side = _where(resource, code, facts)
    clinical = status(resource, "clinicalStatus")
    return ConditionFact(
        reference=fields.identity(resource),
        codings=tuple(fields.codings([code])),
        text=fields.label(code, "Condition"),
        value_sets=fields.value_sets(facts, [code]),
        due_to=_due_to(resource, facts),
        clinical=clinical or ("resolved" if abated and abated.last <= facts.day else None),
        verification=status(resource, "verificationStatus"),
        onset=_not_later(onset, recorded),
        recorded=recorded,
        abated=abated,
        written=onset_text or recorded_text,
        regions=where,
        side=side,
        still=abated is not None and abated.first > facts.day,
    )


def _not_later(onset: Days | None, recorded: Days | None) -> Days | None:
    """Narrow a partial onset: it does not lie after the day it was recorded."""
    if onset and recorded and onset.first <= recorded.last < onset.last:
        return Days(onset.first, recorded.last)
    return onset


def _onset(resource: Resource, facts: Facts) -> tuple[Days | None, str | None]:
    period = fields.text(fields.item(resource, "onsetPeriod"), "start")
    days, written = fields.first_date(facts, fields.text(resource, "onsetDateTime"), period)
    return (days, written) if days else (_onset_by_age(resource, facts), None)


def _onset_by_age(resource: Resource, facts: Facts) -> Days | None:
    """Return the year of life in which it began, where onset is given as an age in years."""
    age = fields.item(resource, "onsetAge")
    years = fields.number(age.get("value"))
    patient = next(iter(facts.record.of_type("Patient")), None)
    born = parse_days(fields.text(patient, "birthDate"), facts.zone)
    if born is None or years is None or years < 0 or age.get("code", age.get("unit")) != "a":
        return None
    earliest, latest = _birthday(born.first, int(years)), _birthday(born.last, int(years) + 1)
    if earliest is None or latest is None or earliest > facts.day:
        return None
    return Days(earliest, min(latest - timedelta(days=1), facts.day))


def _birthday(born: date, years: int) -> date | None:
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        last_of_february = (born.month, born.day) == (2, 29) and born.year + years < date.max.year
        return date(born.year + years, 3, 1) if last_of_february else None


def _abated(resource: Resource, facts: Facts) -> Days | None:
    period = fields.text(fields.item(resource, "abatementPeriod"), "end")
    return fields.first_date(facts, fields.text(resource, "abatementDateTime"), period)[0]


def _where(resource: Resource, code: Resource, facts: Facts) -> tuple[frozenset[str], str | None]:
    """Return region and side: the body site where it is understood, else what the code says."""
    by_code, side_by_code = regions(facts, code)
    sites = fields.items(resource, "bodySite")
    if not sites:
        return by_code, side_by_code
    here, side = regions(facts, *sites)
    if not here:
        return by_code, side or side_by_code
    agrees = side is None and len(sites) == 1 and (not by_code or by_code & here)
    return here, side_by_code if agrees else side


def _due_to(resource: Resource, facts: Facts) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for extension in fields.items(resource, "extension"):
        if extension.get("url") != DUE_TO:
            continue
        found |= fields.value_sets(facts, [fields.item(extension, "valueCodeableConcept")])
        cause = resolve(facts.record, resource, fields.item(extension, "valueReference"))
        found |= fields.value_sets(facts, [fields.item(cause, "code")])
    return found


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of an order.

    `conditions` are the diagnoses on file that it means (none: only the order states it),
    `refuted` whether the record refutes it, `unread` a reference that could not be resolved.
    """

    order: str
    authored: str | None
    codings: tuple[Coding, ...]
    text: str
    value_sets: frozenset[str]
    conditions: tuple[ConditionFact, ...] = ()
    refuted: bool = False
    unread: bool = False

    @property
    def coded(self) -> bool:
        """Whether it carries a code with a system."""
        return any(system for system, _ in self.codings)

    @property
    def sets(self) -> frozenset[str]:
        """Value sets of its own codes and of the diagnoses it means."""
        return self.value_sets.union(*(fact.value_sets for fact in self.conditions))

    def finding(self) -> Finding:
        """Return it as evidence."""
        code = self.codings[0][1] if self.codings else None
        return Finding(self.order, self.authored, code, self.text, value_sets=self.value_sets)


@dataclass(frozen=True, slots=True)
class Asked:
    """Diagnoses and reasons as one question sees them."""

    conditions: tuple[ConditionFact, ...]
    reasons: tuple[Reason, ...]


def asked(context: Context) -> Asked:
    """Return the diagnoses with those marked that the orders give as reason, and the reasons.

    A reason without any diagnosis on file counts as one that the orderer states; where there is
    one, the diagnosis and its status decide.
    """
    found: Asked | None = context.memo.get(asked)
    if found is None:
        found = context.memo[asked] = _ask(context)
    return found


def _ask(context: Context) -> Asked:
    on_file = context.facts.of(Conditions)
    reasons = tuple(
        reason for order in context.group.orders for reason in _reasons(order, on_file, context)
    )
    meant = {fact.reference for reason in reasons for fact in reason.conditions}
    known = {fact.reference for fact in on_file.facts}
    recorded = [replace(f, reason=True) if f.reference in meant else f for f in on_file.facts]
    contained = [
        replace(fact, reason=True)
        for reason in reasons
        for fact in reason.conditions
        if fact.reference not in known
    ]
    stated = [
        _stated(reason, context.facts)
        for reason in reasons
        if reason.codings and not (reason.conditions or reason.refuted)
    ]
    conditions = tuple(dict.fromkeys([*recorded, *contained, *stated]))
    return Asked(conditions, reasons)


def _reasons(order: OrderFact, on_file: Conditions, context: Context) -> Iterator[Reason]:
    referenced = list(_referenced(order, on_file, context.facts))
    by_reference = [fact for reason in referenced for fact in reason.conditions]
    yield from referenced
    for concept in fields.items(order.resource, "reasonCode"):
        reason = _reason(order, concept, context.facts)
        if any(_same_kind(reason, fact) for fact in by_reference):
            continue
        meant = tuple(fact for fact in on_file.facts if _same_kind(reason, fact))
        refuted = not meant and any(_same_kind(reason, fact) for fact in on_file.refuted)
        yield replace(reason, conditions=meant, refuted=refuted)


def _referenced(order: OrderFact, on_file: Conditions, facts: Facts) -> Iterator[Reason]:
    known = {fact.reference: fact for fact in on_file.facts}
    refuted = {fact.reference for fact in on_file.refuted}
    for element in fields.items(order.resource, "reasonReference"):
        reference = fields.reference(element)
        resource = resolve(facts.record, order.resource, element)
        concept = fields.item(resource, "code") or element
        reason = _reason(order, concept, facts)
        if reference in known:
            yield replace(reason, conditions=(known[reference],))
        elif resource is None:
            yield replace(reason, unread=True, refuted=reference in refuted)
        elif reference in refuted or status(resource, "verificationStatus") in DROPPED:
            yield replace(reason, refuted=True)
        elif resource.get("resourceType") == "Condition" and reference and reference[0] == "#":
            fact = condition_fact(resource, facts)
            yield replace(
                reason, conditions=(replace(fact, reference=f"{order.reference}{reference}"),)
            )
        else:
            yield reason


def _reason(order: OrderFact, concept: Resource, facts: Facts) -> Reason:
    shown = fields.text(concept, "display") or "Reason"
    return Reason(
        order=order.reference,
        authored=order.authored,
        codings=tuple(fields.codings([concept])),
        text=fields.label(concept, shown),
        value_sets=fields.value_sets(facts, [concept]),
    )


def _same_kind(reason: Reason, fact: ConditionFact) -> bool:
    """Whether a reason and a diagnosis mean the same.

    They share a code; or one code refines the other; or no value set tells them apart and they lie
    in one category or are coded in different systems.
    """
    mine, theirs = _normal(reason.codings), _normal(fact.codings)
    if mine & theirs:
        return True
    alike = bool(reason.value_sets) and reason.value_sets == fact.value_sets
    if {system for system, _ in mine} & {system for system, _ in theirs}:
        return any(_related(a, b, alike) for a in mine for b in theirs)
    return alike


def _normal(codings: Iterable[Coding]) -> frozenset[tuple[str, str]]:
    known = ((normal_system(system), code) for system, code in codings)
    return frozenset((system, normal_code(system, code)) for system, code in known if system)


def _related(one: tuple[str, str], other: tuple[str, str], alike: bool) -> bool:
    """Whether one ICD code lies under the other, or both in a category and no value set differs."""
    if one[0] != other[0] or one[0] != ICD10CM:
        return False
    short, long = sorted((one[1], other[1]), key=len)
    return long.startswith(short) or (alike and short[:ICD_CATEGORY] == long[:ICD_CATEGORY])


def _stated(reason: Reason, facts: Facts) -> ConditionFact:
    concept = {
        "coding": [{"system": system, "code": code} for system, code in reason.codings],
        "text": reason.text,
    }
    where, side = regions(facts, concept)
    return ConditionFact(
        reference=reason.order,
        codings=reason.codings,
        text=reason.text,
        value_sets=reason.value_sets,
        due_to=frozenset(),
        clinical="active",
        verification=None,
        onset=None,
        recorded=None,
        abated=None,
        written=reason.authored,
        regions=where,
        side=side,
        reason=True,
        stated=True,
    )


Use = Callable[[ConditionFact], Status]


def _eligible(fact: ConditionFact) -> Status:
    """G-07; a clinical status that is absent, or over only after the order's date, is a doubt."""
    if fact.over:
        return Status.NOT_MET
    ended = fact.abated is not None and not fact.still
    if fact.clinical not in ACTIVE or fact.suspected or ended:
        return Status.UNKNOWN
    return Status.MET


def _for_safety(fact: ConditionFact) -> Status:
    """G-08: everything that is not over counts, confirmed or not."""
    return Status.NOT_MET if fact.over else Status.MET


def _inactive(fact: ConditionFact) -> Status:
    return Status.MET if fact.over else Status.NOT_MET


USES: dict[str, Use] = {
    "eligibility": _eligible,
    "safety": _for_safety,
    "history": lambda _fact: Status.MET,
    "inactive": _inactive,
}
"""How the status of a diagnosis bears on a question."""

DATED_BY: dict[str, Callable[[ConditionFact], Days | None]] = {
    "onset-or-recorded": lambda fact: fact.onset or fact.recorded,
    "onset": lambda fact: fact.onset,
    "recorded": lambda fact: fact.recorded,
}


@dataclass(frozen=True, slots=True)
class _Question:
    """The arguments of `condition`, read once."""

    wanted: frozenset[str]
    use: Use
    reason_only: bool
    span: Span | None
    dated_by: Callable[[ConditionFact], Days | None]
    at_site: bool
    caused_by: frozenset[str]
    ended_by: frozenset[str]

    def judge(self, fact: ConditionFact, context: Context, unread: bool) -> Status:
        """Whether one diagnosis answers the question.

        As long as diagnoses are `unread`, one that is only stated may be contradicted on file.
        """
        statuses = [self.use(fact)]
        if unread and fact.stated and self.use is _eligible:
            statuses.append(Status.UNKNOWN)
        if self.span:
            statuses.append(self.span.holds(self.dated_by(fact), context.facts.day))
        if self.at_site:
            statuses.append(at_ordered_site(fact.regions, fact.side, context.group))
        return fields.weakest(statuses)

    def concerns(self, fact: ConditionFact) -> bool:
        """Whether a diagnosis is of the kind asked for."""
        return (
            (not self.wanted or bool(fact.value_sets & self.wanted))
            and (fact.reason or not self.reason_only)
            and (not self.caused_by or bool(fact.due_to & self.caused_by))
        )

    def open(self, facts: Sequence[ConditionFact]) -> list[ConditionFact]:
        """Return the diagnoses of the kind that no later one has brought to an end."""
        concerned = [fact for fact in facts if self.concerns(fact)]
        ends = [fact for fact in facts if fact.value_sets & self.ended_by]
        return [fact for fact in concerned if not any(_later(end, fact) for end in ends)]


@leaf("condition", keys=("conditions",))
def condition(spec: Spec) -> Leaf:
    """A diagnosis in value sets, by status, date, place and cause."""
    question = _Question(
        wanted=frozenset(fields.names(spec.get("in"))),
        use=USES[spec.get("use", "eligibility")],
        reason_only=spec.get("role") == "reason",
        span=span(spec.get("onset")),
        dated_by=DATED_BY[spec.get("dated-by", "onset-or-recorded")],
        at_site=spec.get("at") == "ordered-site",
        caused_by=frozenset(fields.names(spec.get("caused-by"))),
        ended_by=frozenset(fields.names(spec.get("ended-by"))),
    )
    return lambda context: _condition(question, context)


def _condition(question: _Question, context: Context) -> Answer:
    seen = asked(context)
    on = context.facts.day
    concerned = question.open(seen.conditions)
    holes = fields.holes_of(context, "conditions")
    judged = [(question.judge(one, context, bool(holes)), one.finding(on)) for one in concerned]
    told = fields.answer(judged, holes)
    if told.status is not Status.NOT_MET:
        return told
    if question.reason_only and (vague := _vague(seen.reasons)):
        return cannot_tell(vague)
    return not_shown(finding for _, finding in judged)


def _later(one: ConditionFact, other: ConditionFact) -> bool:
    """Whether a diagnosis is dated after another for certain."""
    day, before = one.onset or one.recorded, other.onset or other.recorded
    return bool(day and before and day.first > before.last)


def _vague(reasons: Iterable[Reason]) -> list[Finding]:
    """Return reasons in words alone, or behind references that could not be read."""
    return [reason.finding() for reason in reasons if _unclear(reason)]


def _unclear(reason: Reason) -> bool:
    return not (reason.codings or reason.conditions or reason.refuted)


ReasonTest = Callable[[Sequence[Reason]], Answer]


@leaf("reason", keys=("conditions",))
def reason(spec: Spec) -> Leaf:
    """The reasons the orders give: coded, in value sets, in nothing else, no longer active."""
    tests: list[ReasonTest] = []
    if spec.get("coded"):
        tests.append(_coded)
    if spec.get("on-file"):
        tests.append(_on_file)
    if "only-in" in spec:
        tests.append(_only_in(frozenset(fields.names(spec["only-in"]))))
    if "in" in spec or spec.get("inactive"):
        wanted = frozenset(fields.names(spec.get("in")))
        tests.append(_some(wanted, bool(spec.get("inactive"))))
    if spec.get("on-file"):
        tests.append(_on_file)
    by_record = bool(spec.get("on-file") or spec.get("inactive"))
    return lambda context: _reason_answer(tests, by_record, context)


def _reason_answer(
    tests: Sequence[Callable[[Sequence[Reason]], Answer]], context: Context
) -> Answer:
    holes = fields.holes_of(context, "conditions")
    answers = [test(asked(context).reasons) for test in tests]
    worst = fields.weakest(answer.status for answer in answers)
    if worst is Status.NOT_MET and holes and by_record:
        return cannot_tell((), holes)
    bearing = [answer for answer in answers if answer.status is worst]
    findings = tuple(finding for answer in bearing for finding in answer.findings)
    holes = fields.holes_of(context, "conditions")
    if holes and worst is Status.NOT_MET and _on_file in tests:
        worst = Status.UNKNOWN
    return Answer(worst, findings, holes if worst is Status.UNKNOWN else ())


def _on_file(reasons: Sequence[Reason]) -> Answer:
    """Ask for a reason that stands in the record as a diagnosis of its own."""
    filed = [reason.finding() for reason in reasons if reason.conditions]
    if filed:
        return Answer(Status.MET, tuple(filed))
    unread = any(reason.unread for reason in reasons)
    return cannot_tell() if unread else not_shown(reason.finding() for reason in reasons)


def _coded(reasons: Sequence[Reason]) -> Answer:
    coded = [r.finding() for r in reasons if r.coded or any(f.codings for f in r.conditions)]
    if coded:
        return Answer(Status.MET, tuple(coded))
    unread = any(reason.unread for reason in reasons)
    words = tuple(reason.finding() for reason in reasons)
    return cannot_tell(words) if unread else not_shown(words)


def _on_file(reasons: Sequence[Reason]) -> Answer:
    filed = [reason.finding() for reason in reasons if reason.conditions]
    if filed:
        return Answer(Status.MET, tuple(filed))
    found = [reason.finding() for reason in reasons]
    return cannot_tell(found) if any(reason.unread for reason in reasons) else not_shown(found)


def _only_in(wanted: frozenset[str]) -> ReasonTest:
    def test(reasons: Sequence[Reason]) -> Answer:
        others = [r.finding() for r in reasons if not _unclear(r) and not r.sets & wanted]
        if others or not reasons:
            return not_shown(others)
        if vague := _vague(reasons):
            return cannot_tell(vague)
        return Answer(Status.MET, tuple(reason.finding() for reason in reasons))

    return test


def _some(wanted: frozenset[str], inactive: bool) -> ReasonTest:
    def test(reasons: Sequence[Reason]) -> Answer:
        chosen = [r for r in reasons if not wanted or r.sets & wanted]
        fitting = [r for r in chosen if not inactive or _all_over(r)]
        if fitting:
            return Answer(Status.MET, tuple(_evidence(fitting, inactive)))
        vague = _vague(reasons)
        return cannot_tell(vague) if vague else not_shown(reason.finding() for reason in chosen)

    return test


def _all_over(reason: Reason) -> bool:
    return bool(reason.conditions) and all(fact.over for fact in reason.conditions)


def _evidence(reasons: Iterable[Reason], inactive: bool) -> Iterator[Finding]:
    for one in reasons:
        if inactive:
            yield from (fact.finding(date.max) for fact in one.conditions)
        else:
            yield one.finding()


def notes(facts: Facts) -> tuple[str, ...]:
    """Return remarks on the quality of the diagnoses, for people."""
    return tuple(facts.of(Conditions).notes)
