"""The reasons of the orders, and the diagnoses on file that they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown
from cds_service.evidence.codings import regions, resolve, status
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf, once
from cds_service.evidence.diagnoses import ConditionFact, Conditions, condition_fact
from cds_service.evidence.fields import Coding
from cds_service.evidence.orders import OrderFact
from cds_service.record.model import GONE, Hole, Resource
from cds_service.record.queries import REFERENCES
from cds_service.terminology.systems import ICD10CM, SNOMED, normal_code, normal_system

DROPPED = frozenset({"refuted", "entered-in-error"})
ICD_CATEGORY = 3
SYSTEMS = {"icd-10-cm": ICD10CM, "snomed-ct": SNOMED}


class Reason(Struct, frozen=True):
    """One reason of an order.

    `conditions` are the diagnoses on file that it means (none: only the order states it),
    `refuted` whether the record refutes it, `mistaken` whether the only diagnosis it means was
    entered in error, `unread` a reference that could not be resolved.
    """

    order: str
    authored: str | None
    codings: tuple[Coding, ...]
    text: str
    value_sets: frozenset[str]
    conditions: tuple[ConditionFact, ...] = ()
    refuted: bool = False
    mistaken: bool = False
    unread: bool = False
    via: str | None = None

    @property
    def coded(self) -> bool:
        """Whether it carries a code with a system."""
        return any(system for system, _ in self.codings)

    @property
    def understood(self) -> bool:
        """Whether it carries a code, or words that the site maps."""
        return bool(self.codings or self.value_sets)

    @property
    def sets(self) -> frozenset[str]:
        """Value sets of its own codes and of the diagnoses it means."""
        return self.value_sets.union(*(fact.value_sets for fact in self.conditions))

    def findings(self, on: date) -> list[Finding]:
        """Return it as evidence: the diagnoses on file that it means, else what the order says."""
        return [fact.finding(on) for fact in self.conditions] or [self.finding()]

    def finding(self) -> Finding:
        """Return what the order says."""
        code = self.codings[0][1] if self.codings else None
        sets = self.value_sets
        return Finding(self.order, self.authored, code, self.text, value_sets=sets, via=self.via)


class Asked(Struct, frozen=True):
    """Diagnoses and reasons as one question sees them; `value_sets` are those of any diagnosis."""

    conditions: tuple[ConditionFact, ...]
    reasons: tuple[Reason, ...]
    value_sets: frozenset[str]


@once
def asked(context: Context) -> Asked:
    """Return the diagnoses with those marked that the orders give as reason, and the reasons.

    A reason without any diagnosis on file counts as one that the orderer states; where there is
    one, the diagnosis and its status decide.
    """
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
        if reason.understood and not (reason.conditions or reason.refuted)
    ]
    conditions = tuple(dict.fromkeys([*recorded, *contained, *stated]))
    value_sets = frozenset().union(*(fact.value_sets for fact in conditions))
    return Asked(conditions, reasons, value_sets)


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
        mistaken = not meant and any(_same_kind(reason, fact) for fact in on_file.mistaken)
        yield replace(reason, conditions=meant, refuted=refuted, mistaken=mistaken)


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
        codings=fields.known_codes(facts, [concept]),
        via=fields.via(facts, [concept]),
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
        verification="unconfirmed" if reason.mistaken else None,
        onset=None,
        recorded=None,
        abated=None,
        written=reason.authored,
        regions=where,
        side=side,
        reason=True,
        stated=True,
        via=reason.via,
    )


def vague(reasons: Iterable[Reason]) -> list[Finding]:
    """Return reasons in words alone, or behind references that could not be read."""
    return [reason.finding() for reason in reasons if _unclear(reason)]


def _unclear(reason: Reason) -> bool:
    return not (reason.understood or reason.conditions or reason.refuted)


@once
def unread_reasons(context: Context) -> tuple[Hole, ...]:
    """Return why diagnoses that the orders refer to as reasons could not be read.

    One that is not on file is no hole: the order gives no reason then.
    """
    found = context.facts.record.holes.get(REFERENCES, ())
    if not found:
        return ()
    named = (
        fields.reference(element)
        for order in context.group.orders
        for element in fields.items(order.resource, "reasonReference")
        if resolve(context.facts.record, order.resource, element) is None
    )
    kinds = {reference.split("/")[0] for reference in named if reference}
    return tuple(hole for hole in found if hole.query in kinds and hole.reason not in GONE)


ReasonTest = Callable[[Sequence[Reason], date], Answer]


@leaf("reason", keys=("conditions",))
def reason(spec: Spec) -> Leaf:
    """The reasons the orders give: coded, in value sets, in nothing else, no longer active."""
    tests: list[ReasonTest] = []
    if spec.get("coded"):
        tests.append(_coded)
    if spec.get("on-file"):
        tests.append(_on_file)
    if "system" in spec:
        tests.append(_in_system(normal_system(SYSTEMS[spec["system"]])))
    if "only-in" in spec:
        tests.append(_only_in(frozenset(fields.names(spec["only-in"]))))
    if "in" in spec or spec.get("inactive"):
        wanted = frozenset(fields.names(spec.get("in")))
        tests.append(_some(wanted, bool(spec.get("inactive")), bool(spec.get("coded-only"))))
    by_record = bool(spec.get("on-file") or spec.get("inactive"))
    return lambda context: _reason_answer(tests, by_record, context)


def _reason_answer(tests: Sequence[ReasonTest], by_record: bool, context: Context) -> Answer:
    holes = fields.holes_of(context, "conditions")
    answers = [test(asked(context).reasons, context.facts.day) for test in tests]
    worst = fields.weakest(answer.status for answer in answers)
    if worst is Status.NOT_MET and holes and by_record:
        return cannot_tell((), holes)
    bearing = [answer for answer in answers if answer.status is worst]
    findings = tuple(finding for answer in bearing for finding in answer.findings)
    open_ = (*holes, *unread_reasons(context)) if worst is Status.UNKNOWN else ()
    return Answer(worst, findings, open_)


def _coded(reasons: Sequence[Reason], on: date) -> Answer:
    coded = [r for r in reasons if r.coded or any(f.codings for f in r.conditions)]
    if coded:
        return Answer(Status.MET, _evidence(coded, on))
    unread = any(reason.unread for reason in reasons)
    words = tuple(reason.finding() for reason in reasons)
    return cannot_tell(words) if unread else not_shown(words)


def _on_file(reasons: Sequence[Reason], on: date) -> Answer:
    """Ask for a reason that stands in the record as a diagnosis of its own."""
    filed = [reason for reason in reasons if reason.conditions]
    if filed:
        return Answer(Status.MET, _evidence(filed, on))
    found = [reason.finding() for reason in reasons]
    return cannot_tell(found) if any(reason.unread for reason in reasons) else not_shown(found)


def _in_system(system: str | None) -> ReasonTest:
    """Ask whether every reason carries a code of one system."""

    def test(reasons: Sequence[Reason], on: date) -> Answer:
        findings = _evidence(reasons, on)
        said = [{known for known, _ in _normal(reason.codings)} for reason in reasons]
        if said and all(system in known for known in said):
            return Answer(Status.MET, findings)
        return not_shown(findings)

    return test


def _only_in(wanted: frozenset[str]) -> ReasonTest:
    def test(reasons: Sequence[Reason], on: date) -> Answer:
        others = [r for r in reasons if not _unclear(r) and not r.sets & wanted]
        if others or not reasons:
            return not_shown(_evidence(others, on))
        if unclear := vague(reasons):
            return cannot_tell(unclear)
        return Answer(Status.MET, _evidence(reasons, on))

    return test


def _some(wanted: frozenset[str], inactive: bool, coded_only: bool) -> ReasonTest:
    def test(reasons: Sequence[Reason], on: date) -> Answer:
        chosen = [r for r in reasons if not wanted or r.sets & wanted]
        fitting = [r for r in chosen if not inactive or _all_over(r)]
        if fitting:
            return Answer(Status.MET, _evidence(fitting, on))
        unclear = vague(r for r in reasons if r.unread or not coded_only)
        return cannot_tell(unclear) if unclear else not_shown(_evidence(chosen, on))

    return test


def _all_over(reason: Reason) -> bool:
    return bool(reason.conditions) and all(fact.over for fact in reason.conditions)


def _evidence(reasons: Iterable[Reason], on: date) -> tuple[Finding, ...]:
    """Return the reasons as evidence, each diagnosis once."""
    return tuple(dict.fromkeys(finding for one in reasons for finding in one.findings(on)))
