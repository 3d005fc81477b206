"""The services of Da Vinci CRD: one call read, reviewed and told as the payer's side tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic
from typing import Any

from cds_service.crd.information import Voice
from cds_service.crd.members import Member, RefusalError, member_found, members_of
from cds_service.crd.options import (
    COVERAGE,
    Wishes,
    discovery_of,
    lent_by,
    prefetch_of,
    service_of,
    wishes_of,
)
from cds_service.crd.orders import actions_of, considered
from cds_service.crd.state import Assertion, Circumstances, is_stopped, state_of
from cds_service.evaluation import Evaluation
from cds_service.evidence.orders import OrderFact, OrderGroup
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.hooks.service import Service
from cds_service.record.model import Resource
from cds_service.record.queries import catalogue, prefetch_templates
from cds_service.review import Case, Payer, Rules, digest, group_of, review
from cds_service.reviewer import EVALUATIONS, Reviewer, selected

CRD = "crd"
HOOKS = ("order-sign", "order-select", "order-dispatch")
EARLY = frozenset({"order-select"})

Json = dict[str, Any]


def crd_services(reviewer: Reviewer) -> list[Service]:
    """Return the services of the family "crd"."""
    return [_service(hook, CoverageDiscovery(reviewer)) for hook in HOOKS]


def _service(hook: str, discovery: CoverageDiscovery) -> Service:
    stated = service_of(hook)
    portable = prefetch_templates(discovery.reviewer.reader.catalogue)
    return Service(
        id=stated["id"],
        hook=hook,
        title=stated["title"],
        description=stated["description"],
        handler=discovery.answer,
        prefetch=prefetch_of(hook, portable),
        usage_requirements=stated["usage"],
        acts=True,
        family=CRD,
        extension=discovery_of(hook),
    )


@dataclass(frozen=True)
class Answer:
    """What a call came to: what is asserted of which orders, as received and as considered."""

    assertions: Sequence[Assertion]
    orders: Mapping[str, Resource]


@dataclass(frozen=True)
class CoverageDiscovery:
    """Answers the hooks of CRD with coverage information on the orders, and cards beside it."""

    reviewer: Reviewer

    def answer(self, request: HookRequest) -> HookResponse:
        """Return system actions and cards; raises HookError as Da Vinci CRD wants it."""
        try:
            wishes = wishes_of(request.extension)
            return self._respond(request, wishes)
        except RefusalError as refused:
            raise HookError(refused.status, refused.code, refused.words, refused.place) from None

    def _respond(self, request: HookRequest, wishes: Wishes) -> HookResponse:
        answer = self._answer(request)
        voice = Voice(wishes.version, self.reviewer.today(), request.hook in EARLY)
        told = wishes.wants(COVERAGE)
        actions = actions_of(answer.assertions, answer.orders, voice) if told else []
        evaluations = [one.evaluation for one in answer.assertions]
        return HookResponse(
            cards=[],
            system_actions=actions,
            extension=_explanation(evaluations) if request.explain else {},
            sent=self.reviewer.keeper.sent(request, evaluations, []),
        )

    def _answer(self, request: HookRequest) -> Answer:
        """Read and review the orders of a call."""
        ends = monotonic() + self.reviewer.deadline
        received = [draft.resource for draft in request.draft_orders]
        orders = [considered(order) for order in received]
        day, notes = self.reviewer.day(orders, request.patient_id)
        lent = lent_by(request.prefetch, catalogue().shared_types)
        record = self.reviewer.read_first(request, [*orders, *lent], ends)
        case = Case(orders, record, day, notes=notes, selected=selected(request))
        group = group_of(case, self.rules)
        if not group.orders:
            return Answer((), {})
        _refuse_nameless(group)
        members = members_of(case, group, self.rules)
        payers = [member.payer for member in members]
        record = self.reviewer.read_rest(request, case, payers, ends)
        acknowledged = self.reviewer.acknowledged(request)
        case = replace(case, record=record, acknowledged=acknowledged)
        names = {order.reference for order in group.orders}
        named = zip(request.draft_orders, received, strict=True)
        told = {draft.reference: order for draft, order in named if draft.reference in names}
        return Answer([*self._assertions(case, group, members)], told)

    @property
    def rules(self) -> Rules:
        """What the site decides by."""
        return self.reviewer.rules

    def _assertions(
        self, case: Case, group: OrderGroup, members: Iterable[Member]
    ) -> Iterator[Assertion]:
        for member in members:
            for evaluation in self._evaluations(case, group, member.payer):
                yield self._assertion(case, member, evaluation)

    def _evaluations(self, case: Case, group: OrderGroup, payer: Payer) -> list[Evaluation]:
        found = review(case, self.rules, [payer])
        judged = {name for one in found for name in one.orders}
        billed = group.under(payer.coverage.reference if payer.coverage else None)
        others = [order for order in billed.orders if order.reference not in judged]
        return found + [_not_listed(order, payer, case.day) for order in others]

    def _assertion(self, case: Case, member: Member, evaluation: Evaluation) -> Assertion:
        payer = member.payer
        around = Circumstances(
            member=member_found(case.record),
            in_force=member.in_force,
            readable=member.readable,
            without_safety=self._without_safety(case, payer, evaluation),
        )
        codes = payer.policy.codes if payer.policy else frozenset()
        state = state_of(evaluation, around)
        return Assertion(evaluation, state, codes, _valid_until(payer, case.day))

    def _without_safety(self, case: Case, payer: Payer, evaluation: Evaluation) -> str | None:
        """Return the determination when no safety rule is asked, where one stops the order."""
        if payer.policy is None or not is_stopped(evaluation):
            return None
        calm = replace(payer, policy=replace(payer.policy, safety=(), overlay=None))
        found = review(case, self.rules, [calm])
        return found[0].determination if found else None


def _refuse_nameless(group: OrderGroup) -> None:
    nameless = [order.reference for order in group.orders if order.reference.startswith("#")]
    if nameless:
        words = (
            f"Order {nameless[0].removeprefix('#')} has no id, so nothing can be set on it: give "
            "each order an id."
        )
        raise RefusalError(422, "required", words, "context.draftOrders")


def _not_listed(order: OrderFact, payer: Payer, day: date) -> Evaluation:
    """Return the evaluation of an order of whose code the policy says nothing."""
    made = Evaluation(
        orders=(order.reference,),
        day=day,
        coverage=payer.coverage.reference if payer.coverage else None,
        policy=payer.policy.head if payer.policy else None,
        determination="not-applicable",
        payer=payer.name,
        gap="code-not-listed",
    )
    return replace(made, digest=digest(made, [order.resource]))


def _valid_until(payer: Payer, day: date) -> str | None:
    """Return the last day of coverage or policy, whichever comes first, where one is known."""
    ends = [_day_of(payer.coverage.end) if payer.coverage else None]
    ends.append(payer.policy.end if payer.policy else None)
    known = [end for end in ends if end is not None and end >= day]
    return min(known).isoformat() if known else None


def _day_of(written: str | None) -> date | None:
    try:
        return date.fromisoformat((written or "")[:10])
    except ValueError:
        return None


def _explanation(evaluations: Sequence[Evaluation]) -> Mapping[str, Any]:
    return {EVALUATIONS: [evaluation.as_json() for evaluation in evaluations]}
