"""Suggestions: clicks for missing items and safety findings, from the table in `actions.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cards.changes import CHANGES, Change, is_split, remainder_of
from cards.request import CardRequest, listed, member
from cards.words import WORDS, load, phrase
from cds_service.evaluation import Amount
from cds_service.evidence.answer import Finding
from cds_service.record.model import Resource

Json = dict[str, Any]

_TABLE = load("actions.yaml")
_ACTIONS: Mapping[str, Json] = _TABLE["actions"]


@dataclass(frozen=True)
class Wish:
    """A click somebody asked for: `key` of the table, why (`note`, `item`), and with what.

    `evidence` are findings that the created resource cites as its reason and among which an order
    may find its own; `marks` are effect and urgency of the safety finding behind it.
    """

    key: str
    orders: tuple[str, ...]
    note: str = ""
    item: str = ""
    evidence: tuple[Finding, ...] = ()
    amount: Amount | None = None
    questionnaire: str | None = None
    marks: tuple[str, ...] = ()


def action_keys() -> frozenset[str]:
    """Return the keys that `action` of an item and `suggests` of a safety rule may use."""
    return frozenset(_ACTIONS)


def suggestions_of(wishes: Iterable[Wish], request: CardRequest) -> tuple[list[Json], bool]:
    """Return the suggestions that can be made good, and whether they exclude each other.

    Each key is offered once, and of several that change one order only the first: each echoes the
    whole order, so a second one would undo the first.
    """
    made: dict[str, Json] = {}
    touched: set[str] = set()
    for wish in wishes:
        suggestion = None if wish.key in made else suggest(wish, request)
        changes = _touches(suggestion)
        if suggestion and not changes & touched:
            made[wish.key] = suggestion
            touched |= changes
        if len(made) == WORDS["show"]["suggestions"]:
            break
    return [*made.values()], _exclude(made)


def ranked(wishes: Iterable[Wish], kind: str) -> list[Wish]:
    """Return the wishes of a kind of safety card with what comes first in care first."""
    listed = _TABLE["safety-order"]
    order = {key: place for place, key in enumerate(listed.get(kind) or listed["default"])}
    return sorted(wishes, key=lambda wish: order.get(wish.key, len(order)))


def for_approvable(amount: Amount) -> str | None:
    """Return the key of the click that brings an order down to what is supportable."""
    key = _TABLE["for-approvable"].get(_unit(amount))
    return str(key) if key else None


def fits_amount(key: str | None) -> bool:
    """Whether the click changes the number of visits or units, or does what that would."""
    action = _ACTIONS.get(key or "", {})
    return action.get("update") in ("visits", "units") or bool(action.get("fits-amount"))


def adds_order(key: str) -> bool:
    """Whether the click adds an order and nothing else."""
    created = _ACTIONS.get(key, {}).get("create", {})
    return bool(created.get("resourceType") == "ServiceRequest")


def changes_order(key: str) -> bool:
    """Whether the click changes an order and nothing else."""
    action = _ACTIONS.get(key, {})
    return "update" in action and not action.get("remainder")


def about_findings(key: str) -> bool:
    """Whether what the click creates is about the open safety findings."""
    return _ACTIONS.get(key, {}).get("about") == "finding"


def offered(key: str, marks: Iterable[str]) -> bool:
    """Whether the click is offered with a safety finding of this effect and urgency."""
    wanted = _ACTIONS.get(key, {}).get("offered-on")
    return wanted is None or not set(wanted).isdisjoint(marks)


def suggest(wish: Wish, request: CardRequest) -> Json | None:
    """Return one suggestion as JSON (with its `key`), None where it cannot be made valid."""
    action = _ACTIONS.get(wish.key)
    if action is None:
        return None
    view = {"order": request.name(wish.orders), "item": wish.item} | _amount_words(wish)
    steps = _steps(action, wish, request, view)
    if not steps:
        return None
    suggestion: Json = {"key": wish.key, "label": phrase(action["label"], view), "actions": steps}
    if set(wish.marks) & set(action.get("recommended-on", ())):
        suggestion["isRecommended"] = True
    return suggestion


def _steps(action: Json, wish: Wish, request: CardRequest, view: Json) -> list[Json]:
    if "create" in action:
        created = fill(action["create"], _values(wish, request))
        told = phrase(action["description"], view)
        return [] if _drafted(created, request) else [_step("create", told, resource=created)]
    if "update" in action:
        return _update_steps(action, wish, request, view)
    return _delete_steps(phrase(action["description"], view), wish, request)


def _drafted(created: Resource, request: CardRequest) -> bool:
    """Whether the same order is among those to be signed, as after an accepted suggestion."""
    kind = created["resourceType"]
    alike = [it for it in request.orders.values() if it.get("resourceType") == kind]
    return any(_concept(it) == _concept(created) for it in alike)


def _concept(order: Resource) -> tuple[Any, list[tuple[Any, Any]]]:
    codings = listed(member(order, "code", "coding"))
    named = [(member(coding, "system"), member(coding, "code")) for coding in codings]
    return member(order, "code", "text"), named


def _update_steps(action: Json, wish: Wish, request: CardRequest, view: Json) -> list[Json]:
    changes = _changes(action, wish, request)
    if not changes or not all(_identified(change.before) for change in changes):
        return []
    view |= {"fact": changes[0].fact, "rest": changes[0].rest}
    told = phrase(action["description"], view)
    steps = [_step("update", told, resource=change.after) for change in changes]
    if action.get("remainder"):
        if any(is_split(change, request.orders.values()) for change in changes):
            return []
        rests = [remainder_of(change) for change in changes]
        steps += [_step("create", told, resource=rest) for rest in rests]
    return steps


def _changes(action: Json, wish: Wish, request: CardRequest) -> list[Change]:
    change: Callable[..., Change | None] = CHANGES[action["update"]]
    orders = [request.orders[ref] for ref in wish.orders if ref in request.orders]
    if action["update"] == "units" and len(orders) > 1:
        return []
    conditions = _conditions(wish, request)
    value = _count(wish.amount)
    made = (
        change(order, value=value, settings=action.get("set"), conditions=conditions)
        for order in orders
    )
    return [item for item in made if item]


def _delete_steps(told: str, wish: Wish, request: CardRequest) -> list[Json]:
    orders = [request.orders.get(reference, {}) for reference in wish.orders]
    if not all(map(_identified, orders)):
        return []
    return [
        _step("delete", told, resourceId=f"{order['resourceType']}/{order['id']}")
        for order in orders
    ]


def _step(kind: str, told: str, **rest: Any) -> Json:
    return {"type": kind, "description": told, **rest}


def _identified(order: Resource) -> bool:
    """Whether a reference may lead to it: what stands as id has to be a text."""
    name = order.get("id")
    return isinstance(name, str) and bool(name) and bool(order.get("resourceType"))


def _values(wish: Wish, request: CardRequest) -> Json:
    reasons = _reasons(wish.evidence)
    first = wish.orders[0] if wish.orders else ""
    return {
        "patient": request.patient,
        "user": request.user,
        "encounter": request.encounter,
        "day": request.day.isoformat() if request.day else None,
        "order": first if _identified(request.orders.get(first, {})) else None,
        "reasons": reasons,
        "reason": reasons[0] if reasons else None,
        "note": wish.note or wish.item,
        "item": wish.item,
        "questionnaire": wish.questionnaire,
    }


def _reasons(evidence: Sequence[Finding]) -> list[Json]:
    """Return references to what was found; nothing leads to a resource without an id ("Type/?")."""
    types = _TABLE["reason-types"]
    named = dict.fromkeys(item.reference for item in evidence)
    parts = ((ref, *ref.partition("/")) for ref in named)
    return [{"reference": ref} for ref, kind, _, name in parts if kind in types and name != "?"]


def _conditions(wish: Wish, request: CardRequest) -> list[Resource]:
    named = dict.fromkeys(item.reference for item in wish.evidence if not item.suspected)
    conditions = (request.resolve(ref) for ref in named if ref.startswith("Condition/"))
    return [condition for condition in conditions if condition]


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy of a resource template with "$name" filled in, without what stays empty."""
    if isinstance(template, str):
        return values[template[1:]] if template.startswith("$") else template
    if isinstance(template, dict):
        filled = [(key, fill(item, values)) for key, item in template.items()]
        return {key: item for key, item in filled if item not in (None, "", [], {})}
    if isinstance(template, list):
        return [item for item in [fill(item, values) for item in template] if item]
    return template


def _touches(suggestion: Json | None) -> set[str]:
    steps = suggestion["actions"] if suggestion else []
    return {step["resourceId"] for step in steps if "resourceId" in step} | {
        f"{step['resource']['resourceType']}/{step['resource']['id']}"
        for step in steps
        if step["type"] == "update"
    }


def _exclude(made: Mapping[str, Json]) -> bool:
    choices = [_ACTIONS[key].get("choice") for key in made]
    return len(choices) > 1 and choices[0] is not None and len(set(choices)) == 1


def _unit(amount: Amount) -> str:
    return amount.unit if amount.unit.endswith("s") else f"{amount.unit}s"


def _count(amount: Amount | None) -> int | None:
    usable = amount is not None and amount.value.denominator == 1 and amount.value > 0
    return int(amount.value) if amount and usable else None


def _amount_words(wish: Wish) -> Json:
    if wish.amount is None:
        return {"amount": "", "unit": ""}
    unit = _unit(wish.amount)
    one = wish.amount.value == Fraction(1)
    return {"amount": wish.amount.value, "unit": unit[:-1] if one else unit}
