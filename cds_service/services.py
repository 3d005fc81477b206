"""The services: record, review and cards put together for one hook call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import cards
from cds_service.auth.client import OpenClient
from cds_service.evaluation import Evaluation
from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.scope import order_day
from cds_service.guidance import Keeper, caller_of
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import HookRequest
from cds_service.hooks.response import HookResponse
from cds_service.hooks.service import Service
from cds_service.local import Site, read_site
from cds_service.policies.in_use import vocabulary
from cds_service.policies.library import (
    PolicyLibrary,
    default_library,
    in_folder,
    load_library,
    shipped,
)
from cds_service.policies.routing import TABLE, load_table, with_site
from cds_service.record.client import Limits, fhir_session
from cds_service.record.gathering import record_of_bundle
from cds_service.record.model import PatientRecord
from cds_service.record.pool import FetchPool
from cds_service.record.queries import catalogue_of, prefetch_templates
from cds_service.record.reader import RecordReader, order_references, unobtainable
from cds_service.review import Case, Rules, group_of, payers_of, review
from cds_service.settings import Settings, load_settings
from cds_service.store import NullStore, Store
from cds_service.terminology import Terminology

EVALUATIONS = "massage-cds.evaluations"
USAGE = (
    "FHIR R4. Orders are ServiceRequests with a CPT code (97124, 97140). What prefetch lacks is "
    "read from fhirServer."
)
REVIEW_ID = "massage-order-review"
SELECT_ID = "massage-order-select"
REVIEW = "review"

Render = Callable[[Sequence[Evaluation], cards.CardRequest], list[dict[str, Any]]]


def build_services(
    settings: Settings,
    today: Callable[[], date],
    *,
    store: Store | None = None,
) -> list[Service]:
    """Return the services of the settings' families; without a store nothing is kept.

    Raises PolicyError, PayersError or SiteError when policies, routing or the site file cannot be
    used: a service never starts on half of them.
    """
    rules = rules_of(settings)
    reader = _reader(settings, rules)
    keeper = Keeper(store or NullStore(), settings.keep_requests)
    reviewer = Reviewer(rules, reader, settings.deadline, today, keeper)
    family = [_order_review(reviewer), _order_select(reviewer)]
    return family if REVIEW in settings.families else []


def _reader(settings: Settings, rules: Rules) -> RecordReader:
    limits = Limits(max_pages=settings.max_pages, max_bytes=settings.max_response)
    asked = catalogue_of(rules.terminology.site)
    return RecordReader(
        FetchPool(settings.fetch_workers),
        session=fhir_session(verify=certificates(settings)),
        limits=limits,
        catalogue=asked,
    )


def certificates(settings: Settings) -> bool | str:
    """Return what other servers' certificates are checked with, as requests takes it."""
    return str(settings.ca_file) if settings.ca_file else True


def rules_of(settings: Settings) -> Rules:
    """Return policies, routing and codes as the settings name them.

    Raises PolicyError, PayersError or SiteError when one of the files cannot be used.
    """
    site = site_of(settings, settings.site) if settings.site else None
    payers = load_table(settings.payers or TABLE)
    return Rules(
        library=_library(settings),
        payers=with_site(payers, site) if site else payers,
        terminology=site.terminology if site else Terminology.load(),
        zone=settings.timezone,
    )


def site_of(settings: Settings, path: Path) -> Site:
    """Return a site file as look-ups; raises SiteError when it cannot be used.

    What it maps to must be something that the policies of the settings ask for.
    """
    payers = load_table(settings.payers or TABLE)
    return read_site(path, vocabulary(_texts(settings), payers))


def _library(settings: Settings) -> PolicyLibrary:
    return load_library(_texts(settings)) if settings.policies else default_library()


def _texts(settings: Settings) -> list[tuple[str, str]]:
    return [*shipped(), *(in_folder(settings.policies) if settings.policies else [])]


def _order_review(reviewer: Reviewer) -> Service:
    return Service(
        id=REVIEW_ID,
        hook="order-sign",
        title="Massage order review",
        description=(
            "Holds an order for massage therapy against the payer's published policy and the "
            "patient's record: criteria met, what is missing, red flags."
        ),
        handler=reviewer.answer,
        prefetch=prefetch_templates(reviewer.reader.catalogue),
        usage_requirements=USAGE,
        family=REVIEW,
    )


def _order_select(reviewer: Reviewer) -> Service:
    return Service(
        id=SELECT_ID,
        hook="order-select",
        title="Massage order preview",
        description=(
            "While an order for massage therapy is chosen: red flags in the patient's record, and "
            "what the payer will ask for on signing. Says nothing else."
        ),
        handler=reviewer.preview,
        prefetch=prefetch_templates(reviewer.reader.catalogue),
        usage_requirements=USAGE,
        family=REVIEW,
    )


@dataclass(frozen=True)
class Reviewer:
    """Answers a hook call: reads what the payer's policy needs, reviews, writes cards."""

    rules: Rules
    reader: RecordReader
    deadline: float
    today: Callable[[], date]
    keeper: Keeper = field(default_factory=Keeper)

    def answer(self, request: HookRequest) -> HookResponse:
        """Return the cards for one call; raises HookError as `evaluations` does."""
        return self._answer(request, cards.render)

    def preview(self, request: HookRequest) -> HookResponse:
        """Return the cards for the orders being selected; raises HookError as `evaluations` does.

        The other drafts are context: what is signed together is judged on signing.
        """
        return self._answer(request, cards.preview)

    def _answer(self, request: HookRequest, render: Render) -> HookResponse:
        evaluations, case, group = self.evaluations(request)
        written = render(evaluations, _asked(request, case, group))
        return HookResponse(
            cards=written,
            extension=_explanation(evaluations) if request.explain else {},
            sent=self.keeper.sent(request, evaluations, written),
        )

    def evaluations(self, request: HookRequest) -> tuple[list[Evaluation], Case, OrderGroup]:
        """Return what a call's orders come to, the case and the orders in scope.

        Raises HookError 412 when the Patient, or all clinical data, can be had neither way.
        """
        drafts = [draft.resource for draft in request.draft_orders]
        day, notes = self._day(drafts, request.patient_id)
        ends = monotonic() + self.deadline
        record = self._first(request, drafts, ends)
        case = Case(drafts, record, day, notes=notes, selected=_selected(request))
        group = group_of(case, self.rules)
        if group.orders:
            record = self._rest(request, case, group, ends)
            _refuse_unobtainable(record)
            acknowledged = self._acknowledged(request)
            case = replace(case, record=record, acknowledged=acknowledged)
        return review(case, self.rules), case, group

    def _acknowledged(self, request: HookRequest) -> Mapping[str, date]:
        client = caller_of(request.client)
        return self.keeper.store.acknowledgements(client, request.patient_id)

    def _day(self, drafts: list[Any], patient_id: str) -> tuple[date, tuple[str, ...]]:
        rules = self.rules
        return order_day(drafts, patient_id, self.today(), rules.zone, rules.terminology)

    def _first(self, request: HookRequest, drafts: list[Any], ends: float) -> PatientRecord:
        """Read who the patient is and who pays, with all that every policy needs."""
        needs = self.rules.library.common_keys | {"patient", "coverage"}
        return self._read(request, drafts, needs, ends, None)

    def _rest(
        self, request: HookRequest, case: Case, group: OrderGroup, ends: float
    ) -> PatientRecord:
        """Read what the policies of the coverages need beyond that."""
        payers = payers_of(case, group, self.rules)
        policies = [payer.policy or self.rules.library.unrouted for payer in payers]
        needs = frozenset(key for policy in policies for key in policy.keys)
        if site := self.rules.terminology.site:
            needs = frozenset(site.also_read(sorted(needs)))
        return self._read(request, list(case.orders), needs, ends, case.record)

    def _read(
        self,
        request: HookRequest,
        drafts: list[Any],
        needs: frozenset[str],
        ends: float,
        record: PatientRecord | None,
    ) -> PatientRecord:
        server, refusal = self._server(request)
        token = request.authorization
        return self.reader.read(
            patient_id=request.patient_id,
            needs=needs,
            deadline=ends,
            prefetch=request.prefetch,
            fhir_server=server,
            token=token.access_token if token else None,
            scope=token.scope if token else None,
            references=order_references(drafts),
            drafts=drafts,
            record=record,
            refusal=refusal,
        )

    def _server(self, request: HookRequest) -> tuple[str | None, str]:
        server = request.fhir_server
        client = request.client
        if server and not (client and client.may_call(server)):
            return None, "not-allowed"
        return server, "absent"


def _selected(request: HookRequest) -> frozenset[str] | None:
    """Return the orders to be judged where the hook is about some of them."""
    if request.hook != "order-select":
        return None
    return frozenset(order.reference for order in request.selected)


def _asked(request: HookRequest, case: Case, group: OrderGroup) -> cards.CardRequest:
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


def _refuse_unobtainable(record: PatientRecord) -> None:
    holes = unobtainable(record)
    if holes:
        told = ", ".join(dict.fromkeys(f"{hole.query} ({hole.reason})" for hole in holes))
        words = (
            f"Needed and to be had neither from prefetch nor from the FHIR server: {told}. "
            "Send it as prefetch, or a fhirServer and token that can read it."
        )
        raise HookError(412, "processing", words)


def _explanation(evaluations: list[Evaluation]) -> Mapping[str, Any]:
    return {EVALUATIONS: [evaluation.as_json() for evaluation in evaluations]}


def _case_of(request: HookRequest, bundle: Mapping[str, Any], rules: Rules, today: date) -> Case:
    drafts = [draft.resource for draft in request.draft_orders]
    record = record_of_bundle(request.patient_id, bundle)
    day, notes = order_day(drafts, request.patient_id, today, rules.zone, rules.terminology)
    return Case(drafts, record, day, notes=notes, selected=_selected(request))


def cards_of(
    request: HookRequest, bundle: Mapping[str, Any], rules: Rules, today: date
) -> list[dict[str, Any]]:
    """Return the cards of one request against a Bundle that holds the whole record."""
    case = _case_of(request, bundle, rules, today)
    return cards.render(review(case, rules), _asked(request, case, group_of(case, rules)))


def explain(request: HookRequest, bundle: Mapping[str, Any] | None) -> list[Evaluation]:
    """Return the evaluations of one request, against a Bundle or what the request itself offers.

    Without a Bundle the record is the request's prefetch, and its fhirServer where that is on this
    machine.
    """
    settings = load_settings()
    rules = rules_of(settings)
    today = datetime.now(settings.timezone).date()
    if bundle is not None:
        return review(_case_of(request, bundle, rules, today), rules)
    reviewer = Reviewer(rules, _reader(settings, rules), settings.deadline, lambda: today)
    return reviewer.evaluations(replace(request, client=OpenClient()))[0]
