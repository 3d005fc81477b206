"""Which draft orders are orders for massage, and the day they count on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

from cds_service.evidence import fields
from cds_service.evidence.codings import belongs, data
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import parse_days
from cds_service.evidence.people import performers
from cds_service.evidence.phrases import said
from cds_service.record.model import Resource
from cds_service.terminology import Terminology
from cds_service.terminology.systems import CPT, HCPCS, normal

PROCEDURES = frozenset({CPT, HCPCS})
NOT_SIGNED = frozenset({"entered-in-error", "revoked", "completed"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft order that may be reviewed, and how people are told of it ("#1" without an id)."""

    reference: str
    resource: Resource
    codes: frozenset[str]


def reviewable(drafts: Sequence[object], patient_id: str, terminology: Terminology) -> list[Draft]:
    """Return the ServiceRequests to be carried out for this patient, whatever their intent."""
    return [
        Draft(_reference(order, position), order, procedure_codes(order, terminology))
        for position, order in enumerate(drafts, start=1)
        if isinstance(order, dict) and _wanted(order, patient_id)
    ]


def _wanted(order: Resource, patient_id: str) -> bool:
    return (
        order.get("resourceType") == "ServiceRequest"
        and fields.text(order, "status") not in NOT_SIGNED
        and order.get("doNotPerform") is not True
        and belongs(order, "subject", patient_id)
    )


def _reference(order: Resource, position: int) -> str:
    identifier = fields.text(order, "id")
    return f"ServiceRequest/{identifier}" if identifier else f"#{position}"


def procedure_codes(order: Resource, terminology: Terminology) -> frozenset[str]:
    """Return the codes of a ServiceRequest in the systems for procedures."""
    coded = fields.coded_by(terminology, [fields.item(order, "code")])
    known = filter(None, (normal(system, code) for system, code in coded))
    return frozenset(code for system, code in known if system in PROCEDURES)


def order_words(order: Resource) -> dict[str, list[str]]:
    """Return what an order says in words, by place."""
    instruction = fields.text(order, "patientInstruction")
    noted = (fields.text(note, "text") for note in fields.items(order, "note"))
    return {
        "note": [text for text in noted if text],
        "category": fields.words_of(fields.items(order, "category")),
        "order-detail": fields.words_of(fields.items(order, "orderDetail")),
        "instruction": [instruction] if instruction else [],
    }


@dataclass(frozen=True, slots=True)
class Scope:
    """Draft orders sorted: for massage, for massage in words only, and others."""

    orders: tuple[Draft, ...]
    text_only: tuple[Draft, ...]
    others: tuple[Draft, ...]

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """All of them."""
        return (*self.orders, *self.text_only, *self.others)


def kind_of(order: Resource, terminology: Terminology) -> str | None:
    """Return how the code of an order stands to massage: triggers, companions or neither."""
    held = terminology.classify(fields.coded_by(terminology, [fields.item(order, "code")]))
    scope = data("scope.yaml")
    return next((kind for kind in ("triggers", "companions") if held & set(scope[kind])), None)


def scope_of(facts: Facts) -> Scope:
    """Sort the draft orders of a request."""
    drafts = reviewable(facts.orders, facts.record.patient_id, facts.terminology)
    kinds = [kind_of(draft.resource, facts.terminology) for draft in drafts]
    together = "triggers" in kinds
    orders, text_only, others = [], [], []
    for draft, kind in zip(drafts, kinds, strict=True):
        joins = kind == "companions" and (together or _for_massage(draft.resource, facts))
        if kind == "triggers" or joins:
            orders.append(draft)
        elif not draft.codes and _may_be_massage(draft.resource, facts):
            text_only.append(draft)
        else:
            others.append(draft)
    return Scope(tuple(orders), tuple(text_only), tuple(others))


def _may_be_massage(order: Resource, facts: Facts) -> bool:
    """Whether an order names massage in words, or does not tell at all what is ordered."""
    code = fields.item(order, "code")
    told = fields.words_of([code])
    return _massage(told, facts) or not (
        told or any(system for system, _ in fields.codings([code]))
    )


def _massage(texts: Iterable[str], facts: Facts) -> bool:
    return said("massage", {"note": list(texts)}, facts.terminology.site) is not None


def _for_massage(order: Resource, facts: Facts) -> bool:
    """Whether an order says by category, reason or performer that it is for massage."""
    site = facts.terminology.site
    if said("massage", order_words(order), site) or _massage(_aims(order), facts):
        return True
    roles = frozenset(data("scope.yaml")["massage-roles"])
    return any(person.roles & roles for person in performers(facts, order))


def _aims(order: Resource) -> Iterator[str]:
    yield from fields.words_of(fields.items(order, "reasonCode"))
    yield from fields.words_of(fields.items(order, "performerType"))
    for performer in fields.items(order, "performer"):
        if shown := fields.text(performer, "display"):
            yield shown


def order_day(
    drafts: Sequence[object], patient_id: str, today: date, zone: tzinfo, terminology: Terminology
) -> tuple[date, tuple[str, ...]]:
    """Return the day the orders count on, and remarks on it for people.

    That is the newest `authoredOn` of the orders with a massage code (of all, when none has one).
    Absent, partial or future dates mean `today` (given by the caller: there is no clock here).
    """
    wanted = reviewable(drafts, patient_id, terminology)
    chosen = [draft for draft in wanted if kind_of(draft.resource, terminology)] or wanted
    days: list[date] = []
    notes: list[str] = []
    for draft in chosen:
        day, note = _authored(draft, today, zone)
        days.append(day)
        if note:
            notes.append(note)
    if len(set(days)) > 1:
        notes.append(f"The orders bear different dates; {max(days)} is used.")
    return max(days, default=today), tuple(notes)


def _authored(draft: Draft, today: date, zone: tzinfo) -> tuple[date, str | None]:
    written = fields.text(draft.resource, "authoredOn")
    days = parse_days(written, zone)
    if days and days.exact and days.first <= today:
        return days.first, None
    reason = "has no date" if written is None else f"is dated {written}, which is no past full day"
    return today, f"{draft.reference} {reason}; {today} is used."
