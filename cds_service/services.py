"""The services of the settings, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import cards
from cds_service.auth.client import OpenClient
from cds_service.crd.cards import Page
from cds_service.crd_services import CRD, crd_services, no_page
from cds_service.evaluation import Evaluation
from cds_service.evidence.scope import order_day
from cds_service.guidance import Keeper
from cds_service.hooks.request import HookRequest
from cds_service.hooks.service import Service
from cds_service.local import Site, read_site
from cds_service.observe.call import Watch
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
from cds_service.record.pool import FetchPool
from cds_service.record.queries import catalogue_of, prefetch_templates
from cds_service.record.reader import RecordReader, record_of_bundle
from cds_service.review import Case, Rules, group_of, review
from cds_service.reviewer import Reviewer, asked_of, selected
from cds_service.settings import Settings, load_settings
from cds_service.store import NullStore, Store
from cds_service.terminology import Terminology

USAGE = (
    "FHIR R4. Orders are ServiceRequests with a CPT code (97124, 97140). What prefetch lacks is "
    "read from fhirServer."
)
REVIEW_ID = "massage-order-review"
SELECT_ID = "massage-order-select"
REVIEW = "review"
QUERIES = 64


def build_services(settings: Settings, reviewer: Reviewer, page: Page = no_page) -> list[Service]:
    """Return the services of the settings' families, which the reviewer answers for.

    `page` tells the address of a policy's page, by its id.
    """
    families = {
        REVIEW: [_order_review(reviewer), _order_select(reviewer)],
        CRD: crd_services(reviewer, page),
    }
    return [one for family in settings.families for one in families.get(family, ())]


def reviewer_of(
    settings: Settings, today: Callable[[], date], store: Store | None = None
) -> Reviewer:
    """Return what reads and reviews; without a store nothing is kept.

    Raises PolicyError, PayersError or SiteError when policies, routing or the site file cannot be
    used: a service never starts on half of them.
    """
    rules = rules_of(settings)
    keeper = Keeper(store or NullStore(), settings.keep_requests)
    return Reviewer(rules, _reader(settings, rules), settings.deadline, today, keeper)


def _reader(settings: Settings, rules: Rules) -> RecordReader:
    limits = Limits(max_pages=settings.max_pages, max_bytes=settings.max_response)
    asked = catalogue_of(rules.terminology.site)
    return RecordReader(
        _pool(settings),
        session=fhir_session(settings.fetch_workers, certificates(settings)),
        limits=limits,
        catalogue=asked,
        watch=Watch(),
    )


def _pool(settings: Settings) -> FetchPool:
    """Return the pool for which at most three quarters of the threads wait.

    The others are left to calls that bring all they need, also while a FHIR server hangs.
    """
    callers = max(1, settings.threads * 3 // 4)
    return FetchPool(settings.fetch_workers, waiting=callers * QUERIES, callers=callers)


def certificates(settings: Settings) -> str | None:
    """Return the file that other servers' certificates are checked with, if a site names one."""
    return str(settings.ca_file) if settings.ca_file else None


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


def _case_of(request: HookRequest, bundle: Mapping[str, Any], rules: Rules, today: date) -> Case:
    drafts = [draft.resource for draft in request.draft_orders]
    record = record_of_bundle(request.patient_id, bundle, drafts)
    day, notes = order_day(drafts, request.patient_id, today, rules.zone, rules.terminology)
    return Case(drafts, record, day, notes=notes, selected=selected(request))


def cards_of(
    request: HookRequest, bundle: Mapping[str, Any], rules: Rules, today: date
) -> list[dict[str, Any]]:
    """Return the cards of one request against a Bundle that holds the whole record."""
    case = _case_of(request, bundle, rules, today)
    return cards.render(review(case, rules), asked_of(request, case, group_of(case, rules)))


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
    asked = replace(request, client=OpenClient(), arrived=monotonic())
    return reviewer.evaluations(reviewer.gather(asked))
