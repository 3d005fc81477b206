"""What is kept of a call beside request and answer: the assertions given, and what metrics need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cards.request import listed, member
from cds_service.crd.information import assertion_id
from cds_service.crd.orders import assertion_ids
from cds_service.crd.state import Assertion
from cds_service.crd.table import Json
from cds_service.record.model import PatientRecord, Resource
from cds_service.review import Payer
from cds_service.terminology.systems import NPI

NOTED = "massage-cds.crd"
"""Member of a kept request that holds what was noted of the call."""

_KIND = "coverage-info"
_REJECTED = frozenset({"http-401", "http-403"})


def given_in(actions: Iterable[Json], assertions: Iterable[Assertion]) -> list[Json]:
    """Return the assertions that actions set on orders, each once, as the store files them."""
    policies = {assertion_id(one): one.evaluation.policy for one in assertions}
    sent = dict.fromkeys(name for it in actions for name in assertion_ids(it["resource"]))
    return [
        {"uuid": name, "kind": _KIND, "policy": head.title if head else "", "findings": ()}
        for name in sent
        if name in policies
        for head in [policies[name]]
    ]


def noted(  # noqa: PLR0913 - each is one thing that is noted
    user: str | None,
    record: PatientRecord | None,
    payers: Sequence[Payer],
    received: datetime,
    status: int,
    *,
    token: bool,
) -> Json:
    """Return what the CRD metrics need of a call beside what it sent and got.

    `record` is None where nothing was reviewed; `token` tells whether the call brought one.
    """
    found = {
        "received": received.isoformat(),
        "status": status,
        "tokenUse": _token_use(record) if token else "not-used",
        "read": _counts(record),
        "provider": _provider(user, record),
        "group": _group(user, record),
        "payer": _payer(payers),
    }
    return {NOTED: {name: value for name, value in found.items() if value}}


def _token_use(record: PatientRecord | None) -> str:
    if record is None:
        return "not-used"
    reasons = {hole.reason for holes in record.holes.values() for hole in holes}
    if reasons & _REJECTED:
        return "rejected"
    return "used" if getattr(record.gathering, "tried", None) else "not-used"


def _counts(record: PatientRecord | None) -> Mapping[str, int]:
    return {kind: len(found) for kind, found in record.by_type.items()} if record else {}


def _provider(user: str | None, record: PatientRecord | None) -> str | None:
    """Return the NPI of who called, through the role where the user is one."""
    person = record.resolve(user) if record else None
    if record and person and person.get("resourceType") == "PractitionerRole":
        person = record.resolve(member(person, "practitioner", "reference"))
    return _npi(person)


def _group(user: str | None, record: PatientRecord | None) -> str | None:
    """Return the NPI of the organization that who called belongs to, where a role tells."""
    if record is None or not user:
        return None
    roles = [one for one in record.of_type("PractitionerRole") if _is_role_of(user, one)]
    organizations = (record.resolve(member(one, "organization", "reference")) for one in roles)
    return next(filter(None, map(_npi, organizations)), None)


def _is_role_of(user: str, role: Resource) -> bool:
    return user in (f"PractitionerRole/{role.get('id')}", member(role, "practitioner", "reference"))


def _npi(resource: Resource | None) -> str | None:
    identifiers = listed(member(resource, "identifier"))
    values = (member(one, "value") for one in identifiers if member(one, "system") == NPI)
    return next((value for value in values if isinstance(value, str)), None)


def _payer(payers: Sequence[Payer]) -> Json | None:
    coverages = (payer.coverage for payer in payers)
    named = sorted(one for it in coverages if it for p in it.payors for one in p.identifiers)
    return {"system": named[0][0], "value": named[0][1]} if named else None


def of_kept(request: Mapping[str, Any]) -> Json:
    """Return what was noted of a call, from its request as it was kept."""
    found = request.get(NOTED)
    return found if isinstance(found, dict) else {}
