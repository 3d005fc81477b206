"""Who orders and who treats: roles by code, specialty and qualification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.codings import data, resolve, value
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import parse_days
from cds_service.evidence.quantities import Quantity, quantity
from cds_service.record.model import Hole, Resource
from cds_service.record.queries import REFERENCES
from cds_service.terminology.dialect import BARE, WORDS
from cds_service.terminology.systems import NPI, normal_system

Named = Callable[[Facts, Resource], "list[Person]"]
PROFESSIONALS = frozenset({"Practitioner", "PractitionerRole"})
SELF = {"Patient": "patient", "RelatedPerson": "related-person"}
"""Words in a role list for an order by the patient or a relative."""


class Person(Struct, frozen=True):
    """Somebody an order names.

    `reference` as the order gives it (None when only a role is named), `identities` every
    reference known to mean the same person, `roles` the value sets of code, specialty and
    qualification, `codes` these codes, `known` whether a role could be read and understood.
    """

    reference: str | None
    identities: frozenset[str]
    roles: frozenset[str]
    codes: frozenset[str]
    known: bool
    code: str | None
    text: str


class People:
    """The practitioners of a record, found from either direction."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._roles_of: dict[str, list[Resource]] = defaultdict(list)
        self._known: dict[str, Person] = {}
        for role in facts.record.by_reference.values():
            if role.get("resourceType") == "PractitionerRole":
                practitioner = fields.reference(fields.item(role, "practitioner"))
                self._roles_of[practitioner or ""].append(role)

    def person(self, order: Resource, element: object) -> Person:
        """Return the person behind a Reference of an order."""
        reference = fields.reference(element)
        known = self._known.get(reference) if reference else None
        if known is None:
            known = self._read(order, element, reference)
            if reference and not reference.startswith("#"):
                self._known[reference] = known
        return known

    def by_roles(self, concept: object) -> Person:
        """Return somebody named only by a role (`performerType`)."""
        return self._person(None, frozenset(), [concept], fields.label(concept, "performer"))

    def _read(self, order: Resource, element: object, reference: str | None) -> Person:
        record = self._facts.record
        kind = reference.split("/")[0] if reference else ""
        if kind in SELF:
            roles = frozenset({SELF[kind]})
            return Person(reference, frozenset({reference or ""}), roles, roles, True, None, kind)
        resource = resolve(record, order, element)
        parts = list(self._parts(order, resource)) if resource else []
        identities = frozenset(one for part in parts for one in _identities_of(part))
        identities |= _provider_numbers(fields.items(element, "identifier"))
        concepts = [concept for part in parts for concept in _role_concepts(part)]
        told = fields.text(element, "display") or "not described"
        return self._person(reference, identities, concepts, told)

    def _parts(self, order: Resource, resource: Resource) -> Iterator[Resource]:
        """Yield the resource, and the practitioner and roles that are the same person."""
        yield resource
        kind = resource.get("resourceType")
        if kind == "PractitionerRole":
            practitioner = resolve(self._facts.record, order, fields.item(resource, "practitioner"))
            if practitioner and practitioner.get("resourceType") == "Practitioner":
                yield from self._parts(order, practitioner)
        elif kind == "Practitioner":
            yield from self._roles_of.get(fields.identity(resource), ())
        elif kind == "CareTeam":
            for participant in fields.items(resource, "participant"):
                member = resolve(self._facts.record, resource, fields.item(participant, "member"))
                if member and member.get("resourceType") != "CareTeam":
                    yield from self._parts(order, member)

    def _person(
        self,
        reference: str | None,
        identities: frozenset[str],
        concepts: list[object],
        told: str,
    ) -> Person:
        found = fields.coded(self._facts, concepts)
        roles = frozenset(self._facts.terminology.classify(found)) if found else frozenset()
        understood = data("scope.yaml")["role-systems"]
        known = bool(roles) or any(normal_system(system) in understood for system, _ in found)
        text = fields.label(concepts[0], told) if concepts else told
        codes = frozenset(code for system, code in found if system not in (BARE, WORDS))
        return Person(reference, identities, roles, codes, known, value(concepts), text)


def _identities_of(resource: Resource) -> Iterator[str]:
    """Yield the names by which a practitioner is known: its reference and provider number."""
    if resource.get("id"):
        yield fields.identity(resource)
    if resource.get("resourceType") == "Practitioner":
        yield from _provider_numbers(fields.items(resource, "identifier"))


def _provider_numbers(identifiers: Iterable[Resource]) -> frozenset[str]:
    """Return national provider numbers: a reference may give one in place of a resource."""
    numbers = (fields.text(one, "value") for one in identifiers if one.get("system") == NPI)
    return frozenset(f"{NPI}|{number}" for number in numbers if number)


def _role_concepts(resource: Resource) -> Iterator[object]:
    """Yield codes, specialties and qualifications; those of a role that has ended do not count."""
    if resource.get("active") is False:
        return
    if resource.get("resourceType") == "PractitionerRole":
        yield from fields.items(resource, "code")
        yield from fields.items(resource, "specialty")
    for qualification in fields.items(resource, "qualification"):
        yield fields.item(qualification, "code")


def performers(facts: Facts, order: Resource) -> list[Person]:
    """Return who is to treat; nobody when the order names no performer."""
    people = facts.of(People)
    named = [people.person(order, one) for one in fields.items(order, "performer")]
    if named:
        return named
    return [people.by_roles(concept) for concept in fields.items(order, "performerType")]


def requesters(facts: Facts, order: Resource) -> list[Person]:
    """Return who orders; nobody when the order names no requester."""
    return [facts.of(People).person(order, one) for one in fields.items(order, "requester")]


@leaf("performer", keys=())
def performer(spec: Spec) -> Leaf:
    """Whether who treats has one of the roles."""
    wanted = frozenset(fields.names(spec.get("in")))
    return lambda context: _in_roles(context, performers, wanted, "Treats")


@leaf("requester", keys=())
def requester(spec: Spec) -> Leaf:
    """Whether who orders has one of the roles; `or`, `self`: or is the patient or a relative."""
    selves = SELF.values() if spec.get("self") else fields.names(spec.get("or"))
    wanted = frozenset((*fields.names(spec.get("in")), *selves))
    return lambda context: _in_roles(context, requesters, wanted, "Orders")


def _in_roles(context: Context, named: Named, wanted: frozenset[str], verb: str) -> Answer:
    found: list[tuple[Status, Finding]] = []
    for order in context.group.orders:
        for one in named(context.facts, order.resource):
            finding = Finding(
                one.reference or order.reference, order.authored, one.code, f"{verb}: {one.text}"
            )
            found.append((_status(one, wanted), finding))
    statuses = {status for status, _ in found}
    findings = [finding for _, finding in found]
    if Status.MET in statuses:
        return shown(finding for status, finding in found if status is Status.MET)
    if not found:
        return cannot_tell(findings)
    if Status.UNKNOWN in statuses:
        return cannot_tell(findings, _unread(context))
    return not_shown(findings)


def _unread(context: Context) -> tuple[Hole, ...]:
    """Return what could not be read of professionals: one whose role is open may be among them."""
    holes = context.facts.record.holes.get(REFERENCES, ())
    return tuple(hole for hole in holes if hole.query in PROFESSIONALS)


def _status(person: Person, wanted: frozenset[str]) -> Status:
    """Whether a person holds a role; who is named as a practitioner is not the patient."""
    if person.roles & wanted:
        return Status.MET
    other = person.reference is not None and wanted <= frozenset(SELF.values())
    return Status.NOT_MET if person.known or other else Status.UNKNOWN


@quantity("patient.age", keys=("patient",))
def age(context: Context) -> Quantity:
    """Whole years on the order's date, the birthday included."""
    facts = context.facts
    patients = facts.record.of_type("Patient")
    holes = facts.record.holes_of(("patient",))
    patient = patients[0] if patients else {}
    written = fields.text(patient, "birthDate")
    born = parse_days(written, facts.zone)
    if born is None or born.first > facts.day:
        return Quantity(None, (), holes)
    oldest, youngest = (_years(day, facts.day) for day in (born.first, born.last))
    finding = Finding(fields.identity(patient), written, None, "Date of birth")
    value_ = Fraction(oldest) if oldest == youngest else None
    return Quantity(value_, (finding,), (), low=Fraction(max(youngest, 0)), high=Fraction(oldest))


def _years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
