"""One call of Da Vinci CRD: its orders, who answers for them, and what is asserted of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo

from msgspec import structs

from cds_service.crd.dispatch import Dispatch, dispatch_of
from cds_service.crd.members import Member, RefusalError, member_found, members_of
from cds_service.crd.options import lent_by
from cds_service.crd.orders import considered
from cds_service.crd.state import Assertion, Circumstances, is_stopped, state_of
from cds_service.evaluation import Evaluation
from cds_service.evidence.codings import belongs
from cds_service.evidence.dates import parse_days
from cds_service.evidence.fields import identity
from cds_service.evidence.orders import OrderFact, OrderGroup, order_fact
from cds_service.hooks.request import HookRequest
from cds_service.observe.call import step
from cds_service.record.gathering import ANOTHER_PATIENT, MODIFIED, NO_PATIENT
from cds_service.record.model import GONE, PatientRecord, Resource
from cds_service.record.queries import catalogue
from cds_service.review import Case, Payer, Rules, digest, facts_of, group_of, review
from cds_service.reviewer import Reviewer, selected, tell

_ORDER = "ServiceRequest"
_UNFIT: Mapping[str, str] = {
    ANOTHER_PATIENT: "is an order for another patient than context.patientId",
    NO_PATIENT: "names no patient: send it with the one of context.patientId as subject",
    MODIFIED: "has a modifierExtension, which may change what it orders: none is understood here",
}


@dataclass(frozen=True)
class Answer:
    """What a call came to.

    `assertions` are what is said of which orders, `orders` the orders in scope as received, by the
    names that evaluations use; `case` and `group` what was reviewed, `members` who answered.
    """

    case: Case
    group: OrderGroup
    assertions: Sequence[Assertion] = ()
    orders: Mapping[str, Resource] = field(default_factory=dict)
    members: Sequence[Member] = ()

    @property
    def evaluations(self) -> list[Evaluation]:
        """The evaluations, one for each coverage and group of orders."""
        return [one.evaluation for one in self.assertions]


@dataclass(frozen=True)
class CrdReview:
    """Reads and reviews the orders of one call."""

    reviewer: Reviewer

    @property
    def rules(self) -> Rules:
        """What the site decides by."""
        return self.reviewer.rules

    def answer(self, request: HookRequest) -> Answer:
        """Return what a call comes to; raises RefusalError where nothing can be asserted."""
        ends = request.arrived + self.reviewer.deadline
        dispatch = dispatch_of(request.context) if request.hook == "order-dispatch" else None
        received, record = self._received(request, dispatch, ends)
        orders = [considered(order) for order in received.values()]
        if dispatch:
            orders = [dispatch.performed(order) for order in orders]
        day, notes = self.reviewer.day(orders, request.patient_id)
        case = Case(orders, record, day, notes=notes, selected=selected(request))
        group = group_of(case, self.rules)
        spoken_of = self._spoken_of(case, group)
        if not spoken_of.orders:
            return Answer(case, group)
        try:
            _refuse_nameless(spoken_of)
            members = members_of(case, spoken_of, self.rules)
        except RefusalError:
            # An order in words alone may be for anything: nobody is refused for it.
            if group.orders:
                raise
            return Answer(case, group)
        return self._reviewed(request, Answer(case, group, members=members), received, ends)

    def _spoken_of(self, case: Case, group: OrderGroup) -> OrderGroup:
        """Return the group with the orders for massage that carry no code among its orders."""
        if not group.text_only:
            return group
        facts = facts_of(case, self.rules)
        wordy = [draft for draft in group.drafts if draft.reference in group.text_only]
        more = tuple(order_fact(draft, facts) for draft in wordy)
        return replace(group, orders=(*group.orders, *more))

    def _received(
        self, request: HookRequest, dispatch: Dispatch | None, ends: float
    ) -> tuple[dict[str, Resource], PatientRecord]:
        """Return the orders of a call by name, and what was read first."""
        lent = lent_by(request.prefetch, catalogue().shared_types)
        if dispatch is None:
            drafts = {draft.reference: draft.resource for draft in request.draft_orders}
            asked = [*map(considered, drafts.values()), *lent]
            return drafts, self.reviewer.read_first(request, asked, ends)
        sent = [*lent, *lent_by(request.prefetch, ["ServiceRequest"])]
        record = self.reviewer.read_first(request, sent, ends, also=dispatch.references)
        return _dispatched(dispatch, record), record

    def _reviewed(
        self,
        request: HookRequest,
        found: Answer,
        received: Mapping[str, Resource],
        ends: float,
    ) -> Answer:
        case, group, members = found.case, found.group, found.members
        payers = [member.payer for member in members]
        first, record = case.record, self.reviewer.read_rest(request, case, payers, ends)
        case = replace(case, record=record, acknowledged=self.reviewer.acknowledged(request))
        with step("review"):
            # What was read since may tell who treats, and who pays.
            more = record.by_reference is not first.by_reference
            group = group_of(case, self.rules) if more else group
            spoken_of = self._spoken_of(case, group)
            members = members_of(case, spoken_of, self.rules) if more else members
            assertions = [*self._assertions(case, group, spoken_of, members)]
        tell(group, [one.evaluation for one in assertions])
        names = {order.reference for order in spoken_of.orders}
        orders = {name: order for name, order in received.items() if name in names}
        return Answer(case, group, assertions, orders, members)

    def _assertions(
        self, case: Case, group: OrderGroup, spoken_of: OrderGroup, members: Sequence[Member]
    ) -> Iterator[Assertion]:
        """Yield what is asserted, coverage by coverage: of orders with a code, and of others."""
        payers = [member.payer for member in members]
        found = review(case, self.rules, payers, group)
        for member in members:
            own = [one for one in found if one.coverage == _coverage(member.payer)]
            for evaluation in [*own, *_not_judged(own, spoken_of, member.payer, case.day)]:
                yield self._assertion(case, member, evaluation)

    def _assertion(self, case: Case, member: Member, evaluation: Evaluation) -> Assertion:
        payer = member.payer
        around = Circumstances(
            member=member_found(case.record),
            in_force=member.in_force,
            readable=member.readable,
            modified=_is_modified(case, evaluation),
            without_safety=self._without_safety(case, payer, evaluation),
        )
        codes = payer.policy.codes if payer.policy else frozenset()
        state = state_of(evaluation, around)
        return Assertion(evaluation, state, codes, _valid_until(payer, case.day, self.rules.zone))

    def _without_safety(self, case: Case, payer: Payer, evaluation: Evaluation) -> str | None:
        """Return the determination when no safety rule is asked, where one stops the order."""
        if payer.policy is None or not is_stopped(evaluation):
            return None
        calm = replace(payer, policy=replace(payer.policy, safety=(), overlay=None))
        found = review(case, self.rules, [calm])
        return found[0].determination if found else None


def _dispatched(dispatch: Dispatch, record: PatientRecord) -> dict[str, Resource]:
    """Return the orders that are sent out; raises RefusalError where one cannot be had."""
    found = {name: record.resolve(name) for name in dispatch.references}
    _refuse_unfit(found, record)
    lacking = [name for name, order in found.items() if order is None]
    if not lacking:
        return {name: order for name, order in found.items() if order is not None}
    unread = record.holes_of(["references", "orders"])
    holes = [hole for hole in unread if hole.reason not in GONE]
    words = f"{lacking[0]} is to be dispatched and could not be read"
    if holes:
        told = f"{words} ({holes[0].reason}): send it as prefetch, or a fhirServer that has it."
        raise RefusalError(412, "processing", told, "context.dispatchedOrders")
    told = f"{words}: the FHIR server has no such order."
    raise RefusalError(422, "not-found", told, "context.dispatchedOrders")


def _refuse_unfit(found: Mapping[str, Resource | None], record: PatientRecord) -> None:
    """Refuse orders that are there and cannot be judged: to pass over one looks like consent.

    Those for somebody else are, whoever lent them. Sending them again would not help, so they are
    none that could not be read.
    """
    holes = record.holes.get("references", ())
    turned_away = {hole.reason for hole in holes if hole.query == _ORDER}
    unfit = next((reason for reason in _UNFIT if reason in turned_away), None)
    for name, order in found.items():
        reason = unfit if order is None else None
        if not _is_the_patients(order, record):
            reason = ANOTHER_PATIENT
        if reason:
            words = f"{name} {_UNFIT[reason]}."
            raise RefusalError(422, "invalid", words, "context.dispatchedOrders")


def _is_the_patients(order: Resource | None, record: PatientRecord) -> bool:
    return order is None or belongs(order, "subject", record.patient_id)


def _is_modified(case: Case, evaluation: Evaluation) -> bool:
    """Whether an order bears what FHIR lets nobody pass over who does not know it."""
    names = set(evaluation.orders)
    judged = (order for order in case.orders if identity(order) in names)
    return any(order.get("modifierExtension") for order in judged)


def _coverage(payer: Payer) -> str | None:
    return payer.coverage.reference if payer.coverage else None


def _not_judged(
    found: Iterable[Evaluation], group: OrderGroup, payer: Payer, day: date
) -> list[Evaluation]:
    """Return evaluations of the orders of which the policy says nothing: its code, or none."""
    judged = {name for one in found for name in one.orders}
    billed = group.under(_coverage(payer)).orders
    return [_not_listed(order, payer, day) for order in billed if order.reference not in judged]


def _refuse_nameless(group: OrderGroup) -> None:
    nameless = [order.reference for order in group.orders if order.reference.startswith("#")]
    if nameless:
        words = (
            f"Order {nameless[0].removeprefix('#')} has no id, so nothing can be set on it: give "
            "each order an id."
        )
        raise RefusalError(422, "required", words, "context.draftOrders")


def _not_listed(order: OrderFact, payer: Payer, day: date) -> Evaluation:
    """Return the evaluation of an order that the policy does not judge."""
    made = Evaluation(
        orders=(order.reference,),
        day=day,
        coverage=_coverage(payer),
        policy=payer.policy.head if payer.policy else None,
        determination="not-applicable",
        payer=payer.name,
        gap="code-not-listed" if order.codes else "no-code",
    )
    return structs.replace(made, digest=digest(made, [order.resource]))


def _valid_until(payer: Payer, day: date, zone: tzinfo) -> str | None:
    """Return the last day of coverage or policy, whichever comes first, where one is known."""
    covered = parse_days(payer.coverage.end, zone) if payer.coverage else None
    ends = [covered.last if covered and covered.exact else None]
    ends.append(payer.policy.end if payer.policy else None)
    known = [end for end in ends if end is not None and end >= day]
    return min(known).isoformat() if known else None
