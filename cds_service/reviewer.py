"""One hook call: record, review and cards put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import cards
from cds_service.evaluation import Evaluation
from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.scope import order_day
from cds_service.guidance import Keeper, caller_of, patient_of
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.observe.call import judged, lacking, step
from cds_service.record.model import PatientRecord, asking_for
from cds_service.record.reader import RecordReader, order_references, unobtainable
from cds_service.review import Case, Payer, Rules, group_of, payers_of, review

EVALUATIONS = "massage-cds.evaluations"

Render = Callable[[Sequence[Evaluation], cards.CardRequest], list[dict[str, Any]]]


@dataclass(frozen=True)
class Gathered:
    """What there is to review of a call: its case, the orders in scope and the coverages that
    answer for them (empty: none is known)."""

    case: Case
    group: OrderGroup
    payers: Sequence[Payer] = ()


@dataclass(frozen=True)
class Reviewer:
    """Answers a hook call: reads what the payer's policy needs, reviews, writes cards."""

    rules: Rules
    reader: RecordReader
    deadline: float
    today: Callable[[], date]
    keeper: Keeper = field(default_factory=Keeper)

    def answer(self, request: HookRequest) -> HookResponse:
        """Return the cards for one call; raises HookError as `gather` does."""
        return self._answer(request, cards.render)

    def preview(self, request: HookRequest) -> HookResponse:
        """Return the cards for the orders being selected; raises HookError as `gather` does.

        The other drafts are context: what is signed together is judged on signing.
        """
        return self._answer(request, cards.preview)

    def _answer(self, request: HookRequest, render: Render) -> HookResponse:
        gathered = self.gather(request)
        evaluations = self.evaluations(gathered)
        with step("cards"):
            written = render(evaluations, asked_of(request, gathered.case, gathered.group))
        return HookResponse(
            cards=written,
            extension=explanation(evaluations) if request.explain else {},
            sent=self.keeper.sent(request, evaluations, written),
        )

    def gather(self, request: HookRequest) -> Gathered:
        """Read what the review of a call needs.

        Raises HookError 412 when the Patient, or all clinical data, can be had neither way.
        """
        drafts = [draft.resource for draft in request.draft_orders]
        day, notes = self.day(drafts, request.patient_id)
        ends = request.arrived + self.deadline
        first = self.read_first(request, drafts, ends)
        case = Case(drafts, first, day, notes=notes, selected=selected(request))
        with step("review"):
            found = self._found(case)
        if not found.group.orders:
            return found
        record = self.read_rest(request, found.case, found.payers, ends)
        _refuse_unobtainable(record)
        case = replace(found.case, record=record, acknowledged=self.acknowledged(request))
        if record.by_reference is first.by_reference:
            return replace(found, case=case)
        # What was read since may tell who treats, and who pays.
        with step("review"):
            return self._found(case)

    def _found(self, case: Case) -> Gathered:
        group = group_of(case, self.rules)
        payers = payers_of(case, group, self.rules) if group.orders else ()
        return Gathered(case, group, payers)

    def evaluations(self, gathered: Gathered) -> list[Evaluation]:
        """Return what the orders of a call come to."""
        with step("review"):
            made = review(gathered.case, self.rules, gathered.payers or None, gathered.group)
        tell(gathered.group, made)
        return made

    def acknowledged(self, request: HookRequest) -> Mapping[str, date]:
        """Return the safety findings that the caller has answered for the patient."""
        client = caller_of(request.client)
        with step("store"):
            return self.keeper.store.acknowledgements(client, patient_of(request))

    def day(self, drafts: list[Any], patient_id: str) -> tuple[date, tuple[str, ...]]:
        """Return the day the orders count on, with remarks on it."""
        rules = self.rules
        return order_day(drafts, patient_id, self.today(), rules.zone, rules.terminology)

    def read_first(
        self, request: HookRequest, drafts: list[Any], ends: float, also: Iterable[str] = ()
    ) -> PatientRecord:
        """Read who the patient is and who pays, with all that every policy needs.

        `also` are references to read beside those of the drafts.
        """
        needs = self.rules.library.common_keys | {"patient", "coverage"}

        def further(record: PatientRecord) -> frozenset[str]:
            day, _ = self.day(drafts, request.patient_id)
            return self._keys(self._found(Case(drafts, record, day)).payers)

        return self._read(request, drafts, needs, ends, None, also, further)

    def read_rest(
        self, request: HookRequest, case: Case, payers: Iterable[Payer], ends: float
    ) -> PatientRecord:
        """Read what the policies of the payers need beyond that."""
        return self._read(request, list(case.orders), self._keys(payers), ends, case.record)

    def _keys(self, payers: Iterable[Payer]) -> frozenset[str]:
        """Return the query keys that the policies of payers read."""
        policies = [payer.policy or self.rules.library.unrouted for payer in payers]
        needs = frozenset(key for policy in policies for key in policy.keys)
        site = self.rules.terminology.site
        return frozenset(site.also_read(sorted(needs))) if site else needs

    def _read(  # noqa: PLR0913, PLR0917 - all of it is one question
        self,
        request: HookRequest,
        drafts: list[Any],
        needs: frozenset[str],
        ends: float,
        record: PatientRecord | None,
        also: Iterable[str] = (),
        further: Callable[[PatientRecord], Iterable[str]] | None = None,
    ) -> PatientRecord:
        server, refusal = self._server(request)
        token = request.authorization
        read = self.reader.read(
            patient_id=request.patient_id,
            needs=needs,
            deadline=ends,
            prefetch=request.prefetch,
            fhir_server=server,
            token=token.access_token if token else None,
            scope=token.scope if token else None,
            references=[*order_references(drafts), *also],
            drafts=drafts,
            record=record,
            refusal=refusal,
            further=further,
        )
        lacking(read.holes)
        return read

    def _server(self, request: HookRequest) -> tuple[str | None, str]:
        server = request.fhir_server
        client = request.client
        if server and not (client and client.may_call(server)):
            return None, "not-allowed"
        return server, "absent"


def tell(group: OrderGroup, evaluations: Iterable[Evaluation]) -> None:
    """Tell the log and the metrics what a call came to: codes alone."""
    told = [(one.policy.id if one.policy else None, one.determination) for one in evaluations]
    judged(len(group.orders), told)


def selected(request: HookRequest) -> frozenset[str] | None:
    """Return the orders to be judged where the hook is about some of them."""
    if request.hook != "order-select":
        return None
    return frozenset(order.reference for order in request.selected)


def asked_of(request: HookRequest, case: Case, group: OrderGroup) -> cards.CardRequest:
    """Return what the cards of a call must know of it."""
    named = {draft.reference: draft.resource for draft in group.drafts}
    return cards.CardRequest(
        hook_instance=request.hook_instance,
        patient=f"Patient/{request.patient_id}",
        orders=named,
        user=request.user_id,
        encounter=f"Encounter/{request.encounter_id}" if request.encounter_id else None,
        record=case.record,
        day=case.day,
        text_only=group.text_only,
    )


def explanation(evaluations: Iterable[Evaluation]) -> Mapping[str, Any]:
    """Return the extension of an answer that tells how its evaluations came about."""
    return {EVALUATIONS: [evaluation.as_json() for evaluation in evaluations]}


def _refuse_unobtainable(record: PatientRecord) -> None:
    holes = unobtainable(record)
    if holes:
        raise HookError(412, "processing", asking_for(holes))
