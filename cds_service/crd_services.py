"""The services of Da Vinci CRD: coverage information on the orders, and cards beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from cds_service.crd.cards import Page, Teller
from cds_service.crd.information import Voice
from cds_service.crd.kept import given_in, noted
from cds_service.crd.members import RefusalError
from cds_service.crd.options import (
    COVERAGE,
    HOOKS,
    Wishes,
    discovery_of,
    prefetch_of,
    service_of,
    wishes_of,
)
from cds_service.crd.orders import actions_of
from cds_service.crd_review import Answer, CrdReview
from cds_service.guidance import Keeper
from cds_service.hooks.errors import HookError, operation_outcome
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.hooks.service import Service
from cds_service.observe.call import step
from cds_service.record.queries import prefetch_templates
from cds_service.reviewer import Reviewer, asked_of, explanation
from cds_service.store import CardGiven

CRD = "crd"
EARLY = frozenset({"order-select"})

Json = dict[str, Any]
Clock = Callable[[], datetime]


def no_page(policy: str) -> None:
    """Tell that policies have no page."""


def now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)


def crd_services(reviewer: Reviewer, page: Page = no_page, clock: Clock = now) -> list[Service]:
    """Return the services of the family "crd"; `page` gives the address of a policy's page."""
    keeper = replace(reviewer.keeper, whole=True, every=True)
    discovery = CoverageDiscovery(reviewer, keeper, page, clock)
    return [_service(hook, discovery) for hook in HOOKS]


def _service(hook: str, discovery: CoverageDiscovery) -> Service:
    stated = service_of(hook)
    portable = prefetch_templates(discovery.reviewer.reader.catalogue)
    return Service(
        id=stated["id"],
        hook=hook,
        title=stated["title"],
        description=stated["description"],
        handler=lambda request: discovery.answer(stated["id"], request),
        prefetch=prefetch_of(hook, portable),
        usage_requirements=stated["usage"],
        acts=True,
        family=CRD,
        extension=discovery_of(hook),
    )


@dataclass(frozen=True)
class CoverageDiscovery:
    """Answers the hooks of CRD. Every call is kept whole, also one that is refused."""

    reviewer: Reviewer
    keeper: Keeper = field(default_factory=Keeper)
    page: Page = no_page
    clock: Clock = now

    def answer(self, service: str, request: HookRequest) -> HookResponse:
        """Return system actions and cards; raises HookError with the status that CRD asks for."""
        received = self.clock()
        try:
            wishes = wishes_of(request.extension)
            answer = CrdReview(self.reviewer).answer(request)
        except RefusalError as refused:
            error = HookError(refused.status, refused.code, refused.words, refused.place)
            self._keep_refusal(service, request, error, received)
            raise error from None
        return self._respond(request, wishes, answer, received)

    def _keep_refusal(
        self, service: str, request: HookRequest, error: HookError, received: datetime
    ) -> None:
        outcome = operation_outcome(error.code, error.diagnostics, error.expression)
        told = noted(request.user_id, None, (), received, error.status, token=False)
        self.keeper.refused(service, request, orjson.dumps(outcome), told)

    def _respond(
        self, request: HookRequest, wishes: Wishes, answer: Answer, received: datetime
    ) -> HookResponse:
        early = request.hook in EARLY
        voice = Voice(wishes.version, self.reviewer.today(), early)
        taken = request.client is None or request.client.system_actions
        told = answer.assertions if taken and wishes.wants(COVERAGE) else ()
        actions = actions_of(told, answer.orders, voice)
        with step("cards"):
            asked = asked_of(request, answer.case, answer.group)
            asked = replace(asked, orders={**asked.orders, **answer.orders})
            teller = Teller(asked, voice.shape, self.page, early)
            written = wishes.fitting(teller.cards(answer.assertions))
        return HookResponse(
            cards=written,
            system_actions=actions,
            extension=explanation(answer.evaluations) if request.explain else {},
            sent=self.keeper.sent(
                request,
                answer.evaluations,
                written,
                [CardGiven(**one) for one in given_in(actions, answer.assertions)],
                noted(
                    request.user_id,
                    answer.case.record,
                    [member.payer for member in answer.members],
                    received,
                    200,
                    token=request.authorization is not None,
                ),
            ),
        )
