"""Encounters, and services of a kind wherever the record holds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.anchor import anchor
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import CERTAIN, belongs, status
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf, once
from cds_service.evidence.dates import Days
from cds_service.evidence.diagnoses import is_told
from cds_service.evidence.given import Treatments
from cds_service.evidence.measures import KEYS as MEASURE_KEYS
from cds_service.evidence.people import People
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.record.model import Resource

DROPPED = frozenset({"cancelled", "entered-in-error", "unknown"})
GIVEN = frozenset({"completed", "in-progress"})
ORDERED = frozenset({"active", "completed", "on-hold"})
NO_SETS: frozenset[str] = frozenset()
HELD = frozenset({"finished", "in-progress", "onleave", "triaged"})


class Event(Struct, frozen=True):
    """Something done or ordered on a day; `kinds` and `reasons` are value sets.

    `diagnoses` are the value sets of what an encounter diagnosed, `named` the References to those
    who took part.
    """

    status: str
    kinds: frozenset[str]
    reasons: frozenset[str]
    days: Days | None
    finding: Finding
    diagnoses: frozenset[str] = frozenset()
    named: Sequence[Resource] = ()


class Encounters:
    """Encounters that were not cancelled and are not dated after the order."""

    def __init__(self, facts: Facts) -> None:
        told = _told(facts)
        found = (
            _encounter(facts, one, told.get(fields.identity(one), ()))
            for one in facts.record.of_type("Encounter")
            if fields.text(one, "status") not in DROPPED
        )
        self.events = [one for one in found if one.days is None or one.days.first <= facts.day]


class Services:
    """Encounters held, procedures done and services ordered, up to the order's date."""

    def __init__(self, facts: Facts) -> None:
        held = [one for one in facts.of(Encounters).events if one.status in HELD]
        other = [*_procedures(facts), *_requests(facts)]
        dated = [one for one in other if one.days is None or one.days.first <= facts.day]
        self.events = [*held, *dated]


def _told(facts: Facts) -> Mapping[str, Sequence[Resource]]:
    """Return what each encounter diagnosed, where the diagnosis names its encounter (US Core).

    One that is not confirmed was raised there; that it was looked into is not said.
    """
    told: defaultdict[str, list[Resource]] = defaultdict(list)
    for one in filter(is_told, facts.record.of_type("Condition")):
        met = fields.reference(fields.item(one, "encounter"))
        certain = status(one, "verificationStatus") in CERTAIN
        if met and certain and belongs(one, "subject", facts.record.patient_id):
            told[met].append(fields.item(one, "code"))
    return told


def _encounter(facts: Facts, resource: Resource, told: Iterable[Resource]) -> Event:
    concepts = [
        *fields.items(resource, "type"),
        *({"coding": [one]} for one in fields.items(resource, "class")),
        *fields.items(resource, "serviceType"),
    ]
    days, written = fields.first_date(facts, fields.period_start(resource, "period"))
    named = [fields.item(one, "individual") for one in fields.items(resource, "participant")]
    kind = next(iter(fields.items(resource, "type")), None)
    via = fields.via(facts, concepts)
    finding = _finding(resource, days, written, fields.label(kind, "Encounter"), via)
    status = fields.text(resource, "status") or ""
    kinds = fields.value_sets(facts, concepts)
    diagnoses = _diagnoses(facts, resource) | fields.value_sets(facts, told)
    reasons = _reasons(facts, resource) | diagnoses
    return Event(status, kinds, reasons, days, finding, diagnoses, named)


def _finding(
    resource: Resource, days: Days | None, written: str | None, title: str, via: str | None
) -> Finding:
    day = days.first if days and days.exact else None
    held = fields.text(resource, "status")
    return Finding(fields.identity(resource), written, held, title, day, via=via)


def _reasons(facts: Facts, resource: Resource) -> frozenset[str]:
    """Return the value sets of what an encounter was for, coded or by its Conditions."""
    concepts = [*fields.items(resource, "reasonCode")]
    if "reasonReference" in resource:
        concepts += _coded_by(facts, resource, fields.items(resource, "reasonReference"))
    return fields.value_sets(facts, concepts) if concepts else NO_SETS


def _diagnoses(facts: Facts, resource: Resource) -> frozenset[str]:
    """Return the value sets of what an encounter diagnosed."""
    if "diagnosis" not in resource:
        return NO_SETS
    named = [fields.item(one, "condition") for one in fields.items(resource, "diagnosis")]
    return fields.value_sets(facts, _coded_by(facts, resource, named))


def _coded_by(facts: Facts, resource: Resource, named: Iterable[object]) -> list[Resource]:
    conditions = [facts.record.resolve(fields.reference(one), resource) for one in named]
    return [fields.item(one, "code") for one in conditions]


def _people(facts: Facts, named: Iterable[Resource]) -> frozenset[str]:
    """Return every reference that means one of the people."""
    elements = [*named]
    references = [one for one in map(fields.reference, elements) if one]
    people = [facts.of(People).person({}, one) for one in elements]
    known = frozenset(one for person in people for one in person.identities)
    return known | frozenset(references) | _holders(facts, references)


def roles_of(event: Event, facts: Facts) -> frozenset[str]:
    """Return the value sets of what those who took part are."""
    people = [facts.of(People).person({}, one) for one in event.named]
    return frozenset(role for person in people for role in person.roles)


def _holders(facts: Facts, references: Iterable[str]) -> frozenset[str]:
    """Return the practitioners that roles name, also where these were not read themselves."""
    resources = (facts.record.resolve(one) for one in references)
    holders = (fields.reference(fields.item(one, "practitioner")) for one in resources)
    return frozenset(one for one in holders if one)


def _procedures(facts: Facts) -> Iterable[Event]:
    for one in facts.of(Treatments).of(*GIVEN):
        kinds = one.sets
        if "category" in one.resource:
            kinds |= fields.value_sets(facts, fields.items(one.resource, "category"))
        day = one.days.first if one.days and one.days.exact else None
        title = one.label("Service")
        finding = Finding(one.reference, one.written, one.status, title, day, via=one.via)
        yield Event(one.status, kinds, NO_SETS, one.days, finding)


def _requests(facts: Facts) -> Iterable[Event]:
    drafts = {fields.text(order, "id") for order in facts.orders if isinstance(order, dict)} - {
        None
    }
    for one in facts.record.of_type("ServiceRequest"):
        wanted = fields.text(one, "status") in ORDERED and one.get("doNotPerform") is not True
        if wanted and fields.text(one, "id") not in drafts:
            start = fields.period_start(one, "occurrencePeriod")
            yield _service(facts, one, (fields.text(one, "authoredOn"), start))


def _service(facts: Facts, resource: Resource, dates: Iterable[str | None]) -> Event:
    days, written = fields.first_date(facts, *dates)
    code = resource.get("code")
    return Event(
        fields.text(resource, "status") or "",
        fields.value_sets(facts, [code, *fields.items(resource, "category")]),
        NO_SETS,
        days,
        _finding(resource, days, written, fields.label(code, "Service"), fields.via(facts, [code])),
    )


Judge = Callable[[Context, Event], Status]

STATUSES = {
    "finished": frozenset({"finished"}),
    "current": frozenset({"arrived", "triaged", "in-progress", "onleave"}),
    "any": frozenset[str](),
}


def _keys(spec: Spec) -> tuple[str, ...]:
    since = spec.get("since")
    diagnoses = ("conditions",) if spec.keys() & {"reason-in", "diagnosis-in"} else ()
    measures = MEASURE_KEYS if since == "baseline" else ()
    return ("encounters", *diagnoses, *(VISIT_KEYS[:1] if since else ()), *measures)


@leaf("encounter", keys=_keys)
def encounter(spec: Spec) -> Leaf:
    """Ask for an encounter of a kind, in time, with the one who orders, for a reason."""
    judge, keys = _judge(spec), _keys(spec)

    def ask(context: Context) -> Answer:
        found = ((judge(context, one), one.finding) for one in context.facts.of(Encounters).events)
        return fields.answer(found, fields.holes_of(context, *keys))

    return ask


def _judge(spec: Spec) -> Judge:
    kinds = frozenset(fields.names(spec.get("in")))
    reasons = frozenset(fields.names(spec.get("reason-in")))
    diagnoses = frozenset(fields.names(spec.get("diagnosis-in")))
    roles = frozenset(fields.names(spec.get("with-role")))
    statuses = STATUSES[spec.get("status", "finished")]
    limit, since, requester = spec.get("within"), spec.get("since"), spec.get("with") == "requester"

    def judge(context: Context, one: Event) -> Status:
        if (
            (kinds and not kinds & one.kinds)
            or (statuses and one.status not in statuses)
            or (reasons and not reasons & one.reasons)
            or (diagnoses and not diagnoses & one.diagnoses)
            or (roles and not roles & roles_of(one, context.facts))
        ):
            return Status.NOT_MET
        tests = [fields.recent(context.facts, one.days, limit)]
        if requester:
            people = _people(context.facts, one.named)
            tests.append(_seen_by(people, _requesters(context)))
        if since:
            tests.append(fields.since(anchor(context, since), one.days))
        return fields.weakest(tests)

    return judge


def _seen_by(people: frozenset[str], requesters: frozenset[str]) -> Status:
    if people & requesters:
        return Status.MET
    return Status.NOT_MET if people and requesters else Status.UNKNOWN


@once
def _requesters(context: Context) -> frozenset[str]:
    orders = [order for order in context.facts.orders if isinstance(order, dict)]
    return _people(context.facts, [fields.item(order, "requester") for order in orders])


@leaf("service", keys=("encounters", "procedures", "orders"))
def service(spec: Spec) -> Leaf:
    """Ask for an Encounter, Procedure or ServiceRequest of a kind, in time."""
    kinds, limit = frozenset(fields.names(spec["in"])), spec.get("within")
    earlier = bool(spec.get("before-order"))

    def judge(context: Context, one: Event) -> Status:
        tests = [fields.recent(context.facts, one.days, limit)]
        if earlier:
            tests.append(one.days.before(context.facts.day) if one.days else Status.UNKNOWN)
        return fields.weakest(tests)

    def ask(context: Context) -> Answer:
        alike = [one for one in context.facts.of(Services).events if one.kinds & kinds]
        found = [(judge(context, one), one.finding) for one in alike]
        holes = fields.holes_of(context, "encounters", "procedures", "orders")
        return fields.answer(found, holes)

    return ask
