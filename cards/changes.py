"""Changes to an order as received: everything that was received is echoed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from cards.request import concept_words, is_cpt, listed, member
from cards.words import WORDS
from cds_service.evidence.timing import says_more
from cds_service.record.model import Resource

# A second order is a new resource: it starts without the first one's identity, and its period is
# not the first one's.
_IDENTITY = ("id", "meta", "identifier", "requisition", "text", "implicitRules")
# Days and times that are a frequency by themselves.
_LISTED = ("dayOfWeek", "timeOfDay", "when")
# How long an order runs.
_BOUNDS = ("boundsPeriod", "boundsRange", "boundsDuration")


@dataclass(frozen=True)
class Change:
    """An order before and after; `rest` is what was taken off, `fact` what was added, in words."""

    before: Resource
    after: Resource
    rest: int = 0
    fact: str = ""


def visits(order: Resource, value: int | None, **_: Any) -> Change | None:
    """Bring the ordered visits down to `value`, wherever the order states them."""
    after = deepcopy(order)
    repeat = member(after, "occurrenceTiming", "repeat")
    if not _unsay(after, order):
        return None
    if value and isinstance(repeat, dict) and _above(repeat.get("count"), value):
        rest = repeat["count"] - value
        repeat["count"] = value
        repeat.pop("countMax", None)
        if _counts_visits(order):
            _quantity(order, after, value)
        return Change(order, after, rest)
    return _quantity(order, after, value) if _counts_visits(order) else None


def units(order: Resource, value: int | None, **_: Any) -> Change | None:
    """Bring the units a visit down to `value`."""
    return None if _counts_visits(order) else _quantity(order, deepcopy(order), value)


def frequency(order: Resource, settings: Mapping[str, Any] | None, **_: Any) -> Change | None:
    """Set frequency and period of the timing; a stated number of visits takes its time."""
    after = deepcopy(order)
    repeat = member(after, "occurrenceTiming", "repeat")
    if not isinstance(repeat, dict) or not settings:
        return None
    for extra in ("frequencyMax", "periodMax", *_LISTED, *(_BOUNDS if "count" in repeat else ())):
        repeat.pop(extra, None)
    repeat.update(settings)
    if after == order or not _unsay(after, order):
        return None
    after["occurrenceTiming"].pop("code", None)
    return Change(order, after)


def code(order: Resource, settings: Mapping[str, str] | None, **_: Any) -> Change | None:
    """Replace codes of procedures by others, without the old display."""
    after = deepcopy(order)
    for coding in listed(member(after, "code", "coding")):
        if is_cpt(coding) and (settings or {}).get(str(coding.get("code"))):
            coding["code"] = (settings or {})[coding["code"]]
            coding.pop("display", None)
    return None if after == order else Change(order, after)


def category(order: Resource, settings: Mapping[str, Any] | None, **_: Any) -> Change | None:
    """Add a category."""
    given = listed(order.get("category"))
    if not settings or settings in given:
        return None
    return Change(order, deepcopy(order) | {"category": [*given, dict(settings)]})


def reason(order: Resource, conditions: Sequence[Resource], **_: Any) -> Change | None:
    """Add the one fitting diagnosis of the record as the reason."""
    if len(conditions) != 1 or not conditions[0].get("id"):
        return None
    reference = f"Condition/{conditions[0]['id']}"
    named = listed(order.get("reasonReference"))
    if any(member(item, "reference") == reference for item in named):
        return None
    after = deepcopy(order) | {"reasonReference": [*named, {"reference": reference}]}
    if "reasonCode" not in order and conditions[0].get("code"):
        after["reasonCode"] = [deepcopy(conditions[0]["code"])]
    return Change(order, after, fact=concept_words(conditions[0].get("code")) or reference)


def site(order: Resource, conditions: Sequence[Resource], **_: Any) -> Change | None:
    """Add the body site of the one fitting diagnosis."""
    if len(conditions) != 1 or order.get("bodySite"):
        return None
    sites = listed(conditions[0].get("bodySite"))
    words = ", ".join(filter(None, map(concept_words, sites)))
    after = deepcopy(order) | {"bodySite": deepcopy(sites)}
    return Change(order, after, fact=words) if words else None


CHANGES: Mapping[str, Callable[..., Change | None]] = {
    "visits": visits,
    "units": units,
    "frequency": frequency,
    "code": code,
    "category": category,
    "reason": reason,
    "site": site,
}


def remainder_of(change: Change) -> Resource:
    """Return a new draft order for the visits that were taken off."""
    rest = {key: item for key, item in deepcopy(change.before).items() if key not in _IDENTITY}
    rest["status"] = "draft"
    if "extension" in rest:
        rest["extension"] = [one for one in listed(rest["extension"]) if not _asserts(one)]
        rest = {key: item for key, item in rest.items() if key != "extension" or item}
    _unsay(rest, change.before)
    repeat = member(rest, "occurrenceTiming", "repeat")
    counted = isinstance(repeat, dict) and "count" in repeat
    if counted:
        repeat["count"] = change.rest
        for bound in ("countMax", *_BOUNDS):
            repeat.pop(bound, None)
    if _counts_visits(rest) or not counted:
        rest["quantityQuantity"]["value"] = change.rest
    return rest


def is_split(change: Change, orders: Iterable[Resource]) -> bool:
    """Whether a part of the order was taken off before: it stands among the orders, for less."""
    alike = (one for one in orders if _what_and_where(one) == _what_and_where(change.before))
    return any(one.get("id") != change.before.get("id") for one in alike)


def _what_and_where(order: Resource) -> tuple[Any, Any]:
    return order.get("code"), order.get("bodySite")


def _asserts(extension: Any) -> bool:
    return member(extension, "url") in WORDS["assertions"]


def _unsay(after: Resource, order: Resource) -> bool:
    """Take off what an order's timing says in words beside its parts: it tells the old numbers.

    False where the words say more than the parts: it would be lost.
    """
    timing = order.get("occurrenceTiming")
    if not isinstance(timing, dict) or not timing.get("code"):
        return True
    if says_more(timing):
        return False
    if concept_words(timing["code"]):
        del after["occurrenceTiming"]["code"]
    return True


def _quantity(order: Resource, after: Resource, value: int | None) -> Change | None:
    stated = member(after, "quantityQuantity", "value")
    if not value or not _above(stated, value):
        return None
    after["quantityQuantity"]["value"] = value
    return Change(order, after, int(stated - value))


def _counts_visits(order: Resource) -> bool:
    quantity = order.get("quantityQuantity")
    units = {str(member(quantity, name)).lower() for name in ("unit", "code")}
    return not units.isdisjoint(WORDS["visit-units"])


def _above(stated: Any, value: int) -> bool:
    return isinstance(stated, int | float) and not isinstance(stated, bool) and stated > value
