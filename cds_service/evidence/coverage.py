"""Coverages: who pays, which product, in force on the order's date (G-16)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo

from msgspec import Struct

from cds_service.evidence import codings, fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.codings import belongs, data, resolve
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.dates import parse_days, unset
from cds_service.evidence.orders import billed_to
from cds_service.evidence.windows import inside
from cds_service.record.model import PatientRecord, Resource
from cds_service.terminology.systems import normal_system

Identifier = tuple[str, str]
"""System and value."""


class Payor(Struct, frozen=True):
    """Who pays, by identifiers and by names (of the Organization or as displayed)."""

    identifiers: frozenset[Identifier]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoverageFact:
    """One coverage of the patient.

    `reference` is "Coverage/id"; `read` whether it could be read at all; `active` whether its
    `status` is;
    `in_force` whether its period holds the order's date; `plan_classes` (type, value, name) of its
    classes; `types` its codes as (system, code); `line_of_business` what the routing table says of
    the product; `medicare` whether its member is a Medicare member, None when that is not known;
    `kind` its type in words.
    """

    reference: str
    read: bool
    active: bool
    in_force: Status
    payors: tuple[Payor, ...]
    plan_classes: tuple[tuple[str, str, str | None], ...]
    types: frozenset[tuple[str | None, str]]
    order: int | None
    start: str | None
    end: str | None
    text: str
    line_of_business: str | None = None
    medicare: bool | None = None
    via: str | None = None
    status: str | None = None
    kind: str | None = None
    others: tuple[CoverageFact, ...] = field(default=(), compare=False, repr=False)

    def of_line(self, line_of_business: str | None, via: str | None = None) -> CoverageFact:
        """Return the coverage with its product told by the routing table, and by which mapping."""
        medicare = _medicare(self.types, line_of_business)
        return replace(self, line_of_business=line_of_business, medicare=medicare, via=via)

    @property
    def may_pay(self) -> bool:
        """Whether it is active and not known to lie outside its period."""
        return self.active and self.in_force is not Status.NOT_MET

    @property
    def plan_name(self) -> str | None:
        """The plan as the payer writes it: the name of its class, the plan's before others."""
        return next((name for _, _, name in self._ranked if name), None)

    @property
    def _ranked(self) -> list[tuple[str, str, str | None]]:
        return sorted(self.plan_classes, key=lambda one: one[0] != "plan")

    @property
    def called(self) -> str | None:
        """What tells it from another coverage of the payer: plan or class, else its type."""
        return self.plan_name or next((value for _, value, _ in self._ranked), self.kind)

    @property
    def tells_who_pays(self) -> bool:
        """Whether it names a payor, or one that could be read."""
        return any(payor.identifiers or payor.names for payor in self.payors)

    @property
    def dates(self) -> str:
        """From when to when it is in force, in words; "" where neither is stated."""
        stated = zip(("from", "to"), (self.start, self.end), strict=True)
        return " ".join(f"{word} {day}" for word, day in stated if day)

    def finding(self, value: str | None, text: str) -> Finding:
        """Return what the coverage says as a finding."""
        return Finding(self.reference, self.start, value, text, via=self.via)


def coverages_of(
    record: PatientRecord, orders: Iterable[Resource], day: date, zone: tzinfo
) -> tuple[CoverageFact, ...]:
    """Return the coverages to review, by `Coverage.order`.

    Where the orders name their `insurance`, these and no others, also when they are not in force;
    else every active coverage whose period may hold the day. Each knows the `others` on file.
    """
    everything = on_file(record, day, zone)
    named = dict(_insured(orders, everything, record, day, zone))
    if named:
        chosen = list(named.values())
    else:
        chosen = [fact for fact in everything.values() if fact.may_pay]
    chosen.sort(key=lambda fact: (fact.order is None, fact.order or 0))
    return tuple(
        replace(fact, others=tuple(o for o in everything.values() if o.reference != fact.reference))
        for fact in chosen
    )


def on_file(record: PatientRecord, day: date, zone: tzinfo) -> dict[str, CoverageFact]:
    """Return every coverage of the patient that was read, in force or not, by reference."""
    return {
        fact.reference: fact
        for resource in record.of_type("Coverage")
        if isinstance(resource, dict) and belongs(resource, "beneficiary", record.patient_id)
        for fact in [coverage_fact(resource, record, day, zone)]
    }


def _insured(
    orders: Iterable[Resource],
    filed: Mapping[str, CoverageFact],
    record: PatientRecord,
    day: date,
    zone: tzinfo,
) -> Iterator[tuple[str, CoverageFact]]:
    """Yield what the orders are to be billed to; what is no coverage of the patient tells nothing.

    To pass over it would leave the order under no coverage, and so without a review.
    """
    for order in orders:
        for reference, element in billed_to(order):
            if reference in filed:
                yield reference, filed[reference]
                continue
            resource = _held(resolve(record, order, element), reference, order)
            if resource is None or not _is_the_patients(resource, record):
                yield reference, _unread(reference, fields.text(element, "display"))
            else:
                fact = coverage_fact(resource, record, day, zone)
                yield reference, replace(fact, reference=reference)


def _is_the_patients(resource: Resource, record: PatientRecord) -> bool:
    ours = resource.get("resourceType") == "Coverage"
    return ours and belongs(resource, "beneficiary", record.patient_id)


def _held(found: Resource | None, reference: str, order: Resource) -> Resource | None:
    """Return a coverage contained in an order with what stands beside it, such as its payor."""
    if found is None or not reference.startswith("#"):
        return found
    return {**found, "contained": fields.items(order, "contained")}


def _unread(reference: str, display: str | None) -> CoverageFact:
    return CoverageFact(
        reference=reference,
        read=False,
        active=False,
        in_force=Status.UNKNOWN,
        payors=(),
        plan_classes=(),
        types=frozenset(),
        order=None,
        start=None,
        end=None,
        text=display or "Coverage",
    )


def coverage_fact(
    resource: Resource, record: PatientRecord, day: date, zone: tzinfo
) -> CoverageFact:
    """Read one Coverage."""
    period = fields.item(resource, "period")
    start, end = _stated(period, "start"), _stated(period, "end")
    coded = fields.codings([fields.item(resource, "type")])
    types = frozenset((normal_system(system), code) for system, code in coded)
    position = fields.number(resource.get("order"))
    payors = tuple(_payor(one, resource, record) for one in fields.items(resource, "payor"))
    return CoverageFact(
        reference=fields.identity(resource),
        read=True,
        active=resource.get("status") in (None, "active"),
        in_force=_in_force(resource, start, end, day, zone),
        payors=payors,
        plan_classes=tuple(_classes(resource)),
        types=types,
        order=int(position) if position is not None else None,
        start=start,
        end=end,
        text=next((name for payor in payors for name in payor.names), "Coverage"),
        medicare=_medicare(types, None),
        status=fields.text(resource, "status"),
        kind=fields.text(fields.item(resource, "type"), "text"),
    )


def _stated(period: Resource, name: str) -> str | None:
    written = fields.text(period, name)
    return None if unset(written) else written


def _in_force(
    resource: Resource, start: str | None, end: str | None, day: date, zone: tzinfo
) -> Status:
    if resource.get("status") not in (None, "active"):
        return Status.NOT_MET
    first, last = parse_days(start, zone), parse_days(end, zone)
    if (start and first is None) or (end and last is None):
        return Status.UNKNOWN
    return inside(first, last, day)


def _payor(element: Resource, holder: Resource, record: PatientRecord) -> Payor:
    organization = resolve(record, holder, element)
    identifiers = {
        (system, value)
        for one in [fields.item(element, "identifier"), *fields.items(organization, "identifier")]
        if (system := fields.text(one, "system")) and (value := fields.text(one, "value"))
    }
    aliases = organization.get("alias") if organization else None
    named = [fields.text(organization, "name"), fields.text(element, "display")]
    named += fields.names(aliases)
    return Payor(frozenset(identifiers), tuple(dict.fromkeys(name for name in named if name)))


def _classes(resource: Resource) -> Iterator[tuple[str, str, str | None]]:
    for one in fields.items(resource, "class"):
        kind = codings.status(one, "type")
        value = fields.text(one, "value")
        if kind and value:
            yield kind, value.strip(), fields.text(one, "name")


def _medicare(
    types: frozenset[tuple[str | None, str]], line_of_business: str | None
) -> bool | None:
    """Whether the member is a Medicare member; None when neither type nor product tells."""
    rules = data("coverage.yaml")
    silent = rules["sources-of-payment"]
    told = any(code not in silent[system] for system, code in types if system in silent)
    coded = any(code in rules["medicare"]["types"].get(system, ()) for system, code in types)
    if coded or line_of_business in rules["medicare"]["lines-of-business"]:
        return True
    return False if told or line_of_business else None


Ask = Callable[[CoverageFact], tuple[Status, Finding]]


@leaf("coverage", keys=("coverage",))
def coverage(spec: Spec) -> Leaf:
    """The coverage under review: product, Medicare, kind, in force."""
    asks: list[Ask] = []
    if "line-of-business" in spec:
        asks.append(_line(frozenset(fields.names(spec["line-of-business"]))))
    if "medicare" in spec:
        asks.append(_for_medicare(bool(spec["medicare"])))
    if "type" in spec:
        asks.append(_type(frozenset(fields.names(spec["type"]))))
    if spec.get("in-force"):
        asks.append(_now)
    any_of_them = spec.get("which") == "any"
    return lambda context: _coverage(asks, any_of_them, context)


def _coverage(asks: Sequence[Ask], any_of_them: bool, context: Context) -> Answer:
    under_review: CoverageFact | None = context.coverage
    holes = fields.holes_of(context, "coverage")
    if any_of_them:
        return fields.answer([_judge(asks, one) for one in _on_file(context)], holes)
    if under_review is None:
        return cannot_tell((), holes)
    status, finding = _judge(asks, under_review)
    if status is Status.UNKNOWN:
        return cannot_tell([finding], holes)
    return shown([finding]) if status is Status.MET else not_shown([finding])


def _on_file(context: Context) -> Iterator[CoverageFact]:
    """Yield every active coverage of the patient, the one under review first."""
    under_review: CoverageFact | None = context.coverage
    if under_review is not None:
        yield from (c for c in (under_review, *under_review.others) if c.active)
        return
    facts = context.facts
    for resource in facts.record.of_type("Coverage"):
        fact = coverage_fact(resource, facts.record, facts.day, facts.zone)
        if fact.active:
            yield fact


def _judge(asks: Sequence[Ask], one: CoverageFact) -> tuple[Status, Finding]:
    answers = [ask(one) for ask in asks]
    status = fields.weakest(status for status, _ in answers)
    finding = next(finding for answered, finding in answers if answered is status)
    return status, finding


def _known(condition: bool | None) -> Status:
    if condition is None:
        return Status.UNKNOWN
    return Status.MET if condition else Status.NOT_MET


def _line(wanted: frozenset[str]) -> Ask:
    def ask(one: CoverageFact) -> tuple[Status, Finding]:
        line = one.line_of_business
        known = _known(None if line is None else line in wanted)
        return known, one.finding(one.plan_name or line, "Plan")

    return ask


def _for_medicare(wanted: bool) -> Ask:
    def ask(one: CoverageFact) -> tuple[Status, Finding]:
        value = one.plan_name or one.line_of_business or _shown_type(one)
        told = None if one.medicare is None else one.medicare is wanted
        return _known(told), one.finding(value, "Kind of coverage")

    return ask


def _type(wanted: frozenset[str]) -> Ask:
    def ask(one: CoverageFact) -> tuple[Status, Finding]:
        codes = {code for _, code in one.types}
        told = bool(codes & wanted) if codes else None
        value = next(iter(sorted(codes & wanted)), _shown_type(one))
        return _known(told), one.finding(value, "Type of coverage")

    return ask


def _now(one: CoverageFact) -> tuple[Status, Finding]:
    return one.in_force, one.finding(one.dates or "no dates stated", "In force")


def _shown_type(one: CoverageFact) -> str | None:
    return next(iter(sorted(code for _, code in one.types)), None)
