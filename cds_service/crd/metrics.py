"""What is measured of a CRD call: the guide's logical model CRDMetricData (2.2.1), as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cards.request import listed, member
from cds_service.crd.kept import of_kept
from cds_service.crd.options import ASSOCIATED, COVERAGE
from cds_service.crd.table import EXTENSION, Json
from cds_service.terminology.systems import NPI

_NO_DATA = ("Bundle", "OperationOutcome")
_ENGAGEMENT = {"accepted": "accept", "overridden": "override"}
_PARTS = {
    "covered": "covered",
    "pa-needed": "paNeeded",
    "doc-needed": "docNeeded",
    "info-needed": "infoNeeded",
    "coverage-assertion-id": "assertionId",
    "satisfied-pa-id": "satisfiedId",
}


@dataclass(frozen=True)
class KeptCall:
    """A call as it was kept.

    `request` and `response` are its JSON, `orders` references of the orders judged, `given` when
    it was answered, `outcomes` what became of each card, by uuid: accepted or overridden.
    """

    hook: str
    hook_instance: str
    given: datetime
    orders: tuple[str, ...]
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    outcomes: Mapping[str, str] = field(default_factory=dict)


def metric_of(call: KeptCall) -> Json:
    """Return one CRDMetricData; what is not known of a call is left out."""
    told = of_kept(call.request)
    found = {
        "source": "payer-src",
        "hookInstance": call.hook_instance,
        "hookType": call.hook,
        "providerId": _identifier(NPI, told.get("provider")),
        "groupId": _identifier(NPI, told.get("group")),
        "payerId": told.get("payer"),
        "requestTime": told.get("received"),
        "responseTime": call.given.isoformat(),
        "httpResponse": told.get("status"),
        "issue": [{"code": one["code"]} for one in listed(call.response.get("issue"))],
        "tokenUse": told.get("tokenUse", "not-used"),
        "resources": [*_resources(call.request, told.get("read", {}))],
        "request": [_request(name, call) for name in call.orders],
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def _identifier(system: str, value: Any) -> Json | None:
    return {"system": system, "value": value} if value else None


def _resources(request: Mapping[str, Any], read: Mapping[str, int]) -> Iterator[Json]:
    """Yield what was accessed beside the orders: from prefetch, and beyond it from the server."""
    sent = Counter(_types(request.get("prefetch")))
    for kind in sorted({*sent, *read}):
        if sent[kind]:
            yield {"type": kind, "count": sent[kind], "prefetch": True}
        if read.get(kind, 0) > sent[kind]:
            yield {"type": kind, "count": read[kind] - sent[kind], "prefetch": False}


def _types(prefetch: Any) -> Iterator[str]:
    for value in prefetch.values() if isinstance(prefetch, dict) else ():
        entries = listed(member(value, "entry"))
        found = [member(one, "resource") for one in entries] or [value]
        kinds = (member(one, "resourceType") for one in found)
        yield from (kind for kind in kinds if isinstance(kind, str) and kind not in _NO_DATA)


def _request(name: str, call: KeptCall) -> Json:
    order = _order(name, call)
    made: Json = {"type": name.split("/", maxsplit=1)[0]}
    if order and order.get("code"):
        made["orderDetail"] = order["code"]
    told = [*_actions(name, call), *_cards(name, call)]
    return made | ({"response": told} if told else {})


def _order(name: str, call: KeptCall) -> Json | None:
    drafts = listed(member(call.request, "context", "draftOrders", "entry"))
    sent = listed(member(call.request, "prefetch", "serviceRequests", "entry"))
    updated = [{"resource": member(one, "resource")} for one in _updates(call)]
    found = (member(one, "resource") for one in [*drafts, *sent, *updated])
    return next((one for one in found if one and _named(one) == name), None)


def _named(resource: Mapping[str, Any]) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _updates(call: KeptCall) -> list[Any]:
    return listed(call.response.get("systemActions"))


def _actions(name: str, call: KeptCall) -> Iterator[Json]:
    resources = (member(one, "resource") for one in _updates(call))
    for order in resources:
        if order and _named(order) == name:
            held = listed(order.get("extension"))
            told = [_coverage(one) for one in held if member(one, "url") == EXTENSION]
            kind = order["resourceType"]
            yield {"type": COVERAGE, "focus": [kind], "coverageInfo": told}


def _coverage(extension: Mapping[str, Any]) -> Json:
    made: Json = {}
    forms: list[Json] = []
    for part in listed(extension.get("extension")):
        url, value = member(part, "url"), _value(part)
        if url in _PARTS:
            made.setdefault(_PARTS[url], value)
        elif url == "questionnaire":
            forms.append({"reference": value, "adaptive": False, "response": False})
    return made | ({"questionnaire": forms} if forms else {})


def _value(part: Any) -> Any:
    return next((part[key] for key in part if key.startswith("value")), None)


def _cards(name: str, call: KeptCall) -> Iterator[Json]:
    for card in listed(call.response.get("cards")):
        about = {member(one, "reference") for one in _about(card)}
        if name in about:
            engaged = _ENGAGEMENT.get(call.outcomes.get(card.get("uuid"), ""))
            made = {"type": member(card, "source", "topic", "code"), "focus": _focus(about)}
            yield made | ({"engagement": engaged} if engaged else {})


def _about(card: Mapping[str, Any]) -> list[Any]:
    return listed(member(card, "extension", ASSOCIATED))


def _focus(references: Iterable[Any]) -> list[str]:
    return sorted({str(one).split("/", maxsplit=1)[0] for one in references})
