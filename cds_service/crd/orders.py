"""Orders with coverage information on them: the system actions, and what they start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from cards.request import listed, member
from cds_service.crd.information import Voice, information, silent
from cds_service.crd.state import Assertion
from cds_service.crd.table import EXTENSION, TABLE, Json, parse_day
from cds_service.evidence.scope import PROCEDURES
from cds_service.record.model import Resource, relative
from cds_service.terminology.systems import normal

_BILLING: str = TABLE["billing-options"]


def actions_of(
    assertions: Sequence[Assertion], orders: Mapping[str, Resource], voice: Voice
) -> list[Json]:
    """Return an update of each order of which there is something new to say.

    `orders` are the orders as received, by the names that evaluations use.
    """
    made = (_action(order, _about(name, assertions), voice) for name, order in orders.items())
    return [action for action in made if action]


def _about(name: str, assertions: Iterable[Assertion]) -> list[Assertion]:
    return [one for one in assertions if name in one.evaluation.orders]


def _action(order: Resource, assertions: Iterable[Assertion], voice: Voice) -> Json | None:
    held = listed(order.get("extension"))
    told = [
        information(one, billing_codes(order, one.codes), voice)
        for one in assertions
        if not silent(one, voice.version)
    ]
    kept = _without_stale(held, told)
    if kept == held:
        return None
    updated = {**order, "extension": kept}
    return {"type": "update", "description": TABLE["words"]["step"], "resource": updated}


def _without_stale(held: Sequence[Any], told: Sequence[Json]) -> list[Any]:
    """Return the extensions held with those told in the place of what they follow."""
    kept = [*held]
    for new in told:
        old = [one for one in kept if _is_about(one, coverage_of(new))]
        if len(old) == 1 and (facts_of(old[0]) == facts_of(new) or _is_settled(old[0], new)):
            continue
        kept = [one for one in kept if one not in old] + [new]
    return kept


def _is_settled(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the assertion is the one on the order, and was authorized since: that stands."""
    said = {
        name: [part.get(value) for part in _parts(old) if part.get("url") == name]
        for name, value in (("pa-needed", "valueCode"), ("satisfied-pa-id", "valueString"))
    }
    authorized = said["pa-needed"] == ["satisfied"] and len(said["satisfied-pa-id"]) == 1
    return authorized and all(said["satisfied-pa-id"]) and _lasting(old) == _lasting(new)


def _lasting(extension: Mapping[str, Any]) -> list[bytes]:
    """Return what an authorization leaves as it was."""
    kept = [one for one in _parts(extension) if one.get("url") not in TABLE["authorized"]]
    return facts_of({"extension": kept})


def _is_about(extension: Any, coverage: str | None) -> bool:
    ours = isinstance(extension, dict) and extension.get("url") == EXTENSION
    return ours and coverage_of(extension) == coverage


def coverage_of(extension: Mapping[str, Any]) -> str | None:
    """Return the coverage that a coverage-information extension is about, as "Coverage/id"."""
    parts = (one for one in listed(extension.get("extension")) if member(one, "url") == "coverage")
    named = (member(one, "valueReference", "reference") for one in parts)
    return next((relative(name) for name in named if isinstance(name, str)), None)


def assertion_ids(order: Resource) -> list[str]:
    """Return the ids of the coverage assertions on an order."""
    held = listed(order.get("extension"))
    parts = (part for one in held if member(one, "url") == EXTENSION for part in _parts(one))
    named = (part for part in parts if part.get("url") == "coverage-assertion-id")
    return [str(part.get("valueString")) for part in named]


def _parts(extension: Mapping[str, Any]) -> list[Json]:
    return [one for one in listed(extension.get("extension")) if isinstance(one, dict)]


def facts_of(extension: Mapping[str, Any]) -> list[bytes]:
    """Return what a coverage-information extension says of its coverage, whatever the day."""
    parts = (one for one in listed(extension.get("extension")) if not _is_aside(one))
    return sorted(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in parts)


def _is_aside(part: Any) -> bool:
    """Whether a part tells the day or the coverage: a client may write its URL out in full."""
    return _names_coverage(part) or _dates(part)


def _names_coverage(part: Any) -> bool:
    stated = member(part, "url") == "coverage" and set(part) == {"url", "valueReference"}
    return stated and isinstance(member(part, "valueReference", "reference"), str)


def _dates(part: Any) -> bool:
    """Whether a part tells the day of the assertion, and nothing else."""
    if member(part, "url") != "date" or set(part) != {"url", "valueDate"}:
        return False
    return parse_day(part["valueDate"]) is not None


def billing_codes(order: Resource, listed_codes: frozenset[str] = frozenset()) -> list[Json]:
    """Return the codings by which an order is to be billed, without their words.

    Of several, those among `listed_codes`, the codes of the policy.
    """
    order_code = order.get("code")
    stated = listed(member(order_code, "coding"))
    coded = [
        normal(member(coding, "system"), member(coding, "code"))
        for coding in [*stated, *_options(order_code)]
    ]
    found = dict.fromkeys(one for one in coded if one and one[0] in PROCEDURES)
    spoken_of = [one for one in found if one[1] in listed_codes] or [*found]
    return [{"system": system, "code": code} for system, code in spoken_of]


def considered(order: Resource) -> Resource:
    """Return the order with the billing options of its code among its codings."""
    code = order.get("code")
    options = _options(code)
    if not options or not isinstance(code, dict):
        return order
    stated = listed(code.get("coding"))
    more = [one for one in options if one not in stated]
    return {**order, "code": {**code, "coding": [*stated, *more]}}


def _options(code: Any) -> list[Any]:
    extensions = listed(member(code, "extension"))
    concepts = (
        member(one, "valueCodeableConcept", "coding")
        for one in extensions
        if member(one, "url") == _BILLING
    )
    return [coding for found in concepts for coding in listed(found)]
