"""Who answers for the orders of a call: the member's coverages, or why none can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from cds_service.evidence.coverage import CoverageFact, coverages_of, on_file
from cds_service.evidence.fields import identity
from cds_service.evidence.orders import OrderFact, OrderGroup
from cds_service.policies.routing import route
from cds_service.record.model import GONE, Hole, PatientRecord, asking_for
from cds_service.review import Case, Payer, Rules, payer_of

_NOT_THEIRS = frozenset({"another-patient", "no-patient"})
_COVERAGE = "Coverage"
_NAMELESS = identity({"resourceType": _COVERAGE})


@dataclass(eq=False)
class RefusalError(Exception):
    """A call that cannot be answered with coverage information.

    `status` is the HTTP status, `code` an issue type of FHIR, `words` what is wrong and what to
    send instead, `place` where in the call.
    """

    status: int
    code: str
    words: str
    place: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.words}"


@dataclass(frozen=True)
class Member:
    """A payer that answers, `readable` telling whether it could be read which one it is."""

    payer: Payer
    readable: bool = True

    @property
    def in_force(self) -> bool:
        """Whether the coverage is not known to be inactive or outside its period."""
        coverage = self.payer.coverage
        return self.payer.in_force or (coverage is not None and not coverage.read)


def members_of(case: Case, group: OrderGroup, rules: Rules) -> list[Member]:
    """Return the payers that answer for the orders, those whose coverage is named or the only one.

    An order beside others of which nothing that it names could be read is answered for by a member
    that is not readable: silence would look like "nothing to say".

    Raises RefusalError: 412 where no coverage could be read; 400 where there is none, where there
    are several and none is named, and where none is of a payer that is served here.
    """
    record = case.record
    orders = [order.resource for order in group.orders]
    named = coverages_of(record, orders, case.day, rules.zone)
    chosen = [one for one in named if one.read]
    everything = on_file(record, case.day, rules.zone)
    _refuse_choice(group.orders, everything.values())
    found = chosen or ([] if _all_named(group.orders) else [*everything.values()])
    if not found:
        raise _nothing(record, named=_all_named(group.orders))
    members = [_member(coverage, case, rules) for coverage in found]
    served = [one for one in members if one is not None]
    if not served:
        raise _not_served()
    _refuse_nameless(served)
    lost = [payer_of(one, case.day, rules) for one in _lost(named, group.orders)]
    return [*served, *(Member(payer, readable=False) for payer in lost)]


def _lost(named: Iterable[CoverageFact], orders: Iterable[OrderFact]) -> list[CoverageFact]:
    """Return the coverages that could not be read, of orders that name none that could."""
    unread = {one.reference: one for one in named if not one.read}
    lost = [order.coverages for order in orders if unread.keys() >= set(order.coverages)]
    return [unread[name] for name in dict.fromkeys(chain.from_iterable(lost))]


def _refuse_nameless(members: Iterable[Member]) -> None:
    """Refuse a coverage that no reference leads to: what is told of it must say of which."""
    coverages = (member.payer.coverage for member in members)
    if any(one is not None and one.reference == _NAMELESS for one in coverages):
        words = "The coverage has no id, so nothing can be told of it: send it with its id."
        raise RefusalError(422, "required", words, "prefetch.coverage")


def _all_named(orders: Iterable[OrderFact]) -> bool:
    return all(order.coverages for order in orders)


def _refuse_choice(orders: Iterable[OrderFact], coverages: Iterable[CoverageFact]) -> None:
    active = [one for one in coverages if one.may_pay]
    if len(active) > 1 and not _all_named(orders):
        words = (
            "The patient has several active coverages and an order names none: name the one to be "
            "billed in its insurance, or send one coverage alone."
        )
        raise RefusalError(400, "multiple-matches", words, "context.draftOrders")


def _member(coverage: CoverageFact, case: Case, rules: Rules) -> Member | None:
    """Return who answers for a coverage; None where the payer is not served here."""
    payer = payer_of(coverage, case.day, rules)
    if route(coverage, rules.payers).known:
        return Member(payer)
    return Member(payer, readable=False) if _payor_unread(coverage, case.record) else None


def _payor_unread(coverage: CoverageFact, record: PatientRecord) -> bool:
    """Whether it cannot be told who pays because the payor could not be read."""
    holes = record.holes.get("references", ())
    unread = any(hole.query == "Organization" for hole in _technical(holes))
    return unread and not coverage.tells_who_pays


def _technical(holes: Iterable[Hole]) -> list[Hole]:
    return [hole for hole in holes if hole.reason not in GONE]


def _nothing(record: PatientRecord, *, named: bool) -> RefusalError:
    unread = [*record.holes_of(["coverage"])]
    unread += [one for one in record.holes.get("references", ()) if one.query == _COVERAGE]
    failed = [one for one in _technical(unread) if one.reason not in _NOT_THEIRS]
    if failed:
        return _unobtainable(failed)
    if named:
        words = (
            "The coverage that the order names is not on file for this patient: name in its "
            "insurance the one to be billed, and send it as prefetch or on the FHIR server."
        )
        return RefusalError(400, "not-found", words, "context.draftOrders")
    words = (
        "The patient has no coverage on file: send the coverage that the order is to be billed to, "
        "as prefetch or on the FHIR server."
    )
    return RefusalError(400, "not-found", words, "prefetch.coverage")


def _unobtainable(holes: Sequence[Hole]) -> RefusalError:
    return RefusalError(412, "processing", asking_for(holes), "prefetch.coverage")


def _not_served() -> RefusalError:
    words = (
        "None of the coverages is of a payer served here: call the service of the payer that the "
        "coverage names as payor."
    )
    return RefusalError(400, "not-supported", words, "prefetch.coverage")


def member_found(record: PatientRecord) -> bool:
    """Whether the Patient is known, or could not be asked for: only an answer tells of none."""
    if f"Patient/{record.patient_id}" in record.by_reference:
        return True
    holes = record.holes_of(["patient"])
    return not holes or any(hole.reason not in GONE for hole in holes)
