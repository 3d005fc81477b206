"""The answer to a hook call: what the specification demands of it, kept and checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

log = logging.getLogger(__name__)

Json = dict[str, Any]

SUMMARY_LIMIT = 139
INDICATORS = ("info", "warning", "critical")
SELECTION_BEHAVIORS = ("at-most-one", "any")
ACTION_TYPES = ("create", "update", "delete")
LINK_TYPES = ("absolute", "smart")

_OPAQUE = ("resource", "extension")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.I)
_RELATIVE = re.compile(r"[A-Za-z]+/[A-Za-z0-9.\-]+\Z")


@dataclass(frozen=True, slots=True)
class HookResponse:
    """What a handler gives back: cards and system actions as CDS Hooks JSON."""

    cards: list[Json]
    system_actions: list[Json] = field(default_factory=list)
    extension: Mapping[str, Any] = field(default_factory=dict)


def finish(response: HookResponse, hook_instance: str, *, strict: bool) -> Json:
    """Return the body to send: empties left out, summaries within the limit, uuids everywhere.

    A card without a uuid gets one made from the hookInstance and its place, so that a retry repeats
    it. `strict` (tests) raises ValueError with everything that breaks the specification; otherwise
    a long summary is cut at a word and the rest is sent and logged: a hidden safety card would
    harm more than a crooked one.
    """
    cards = response.cards if strict else _mended(response.cards, UUID(hook_instance))
    body = _body(response, cards)
    problems = check_response(body)
    for problem in problems:
        log.error("call %s answers against the specification: %s", hook_instance, problem)
    if strict and problems:
        raise ValueError("; ".join(problems))
    return body


def _body(response: HookResponse, cards: Iterable[Json]) -> Json:
    body: Json = {"cards": [without_empties(card) for card in cards]}
    if response.system_actions:
        body |= {"systemActions": [without_empties(action) for action in response.system_actions]}
    if response.extension:
        body["extension"] = dict(response.extension)
    return body


def without_empties(value: Any) -> Any:
    """Return JSON without null, "", [] and {}, at any depth.

    FHIR resources stay as they are (an update echoes the whole order, and null has a place in FHIR
    arrays), and so do extensions, whose shape is their owner's.
    """
    if isinstance(value, dict):
        kept = {key: _kept(key, item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if not _empty(item)}
    if isinstance(value, (list, tuple)):
        return [item for item in map(without_empties, value) if not _empty(item)]
    return value


def _kept(key: str, value: Any) -> Any:
    return value if key in _OPAQUE else without_empties(value)


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def shorten(summary: str) -> str:
    """Return the summary within 139 characters, cut after a word and marked with an ellipsis."""
    if len(summary) <= SUMMARY_LIMIT:
        return summary
    head = summary[:SUMMARY_LIMIT]
    words = head.rsplit(None, 1)[0] if " " in head else head[:-1]
    return words.rstrip(" ,;:-") + "…"


def _mended(cards: Iterable[Json], instance: UUID) -> list[Json]:
    return [_mended_card(card, f"card/{at}", instance) for at, card in enumerate(cards)]


def _mended_card(card: Json, place: str, instance: UUID) -> Json:
    mended: Json = {"uuid": str(uuid5(instance, place))} | card
    if isinstance(card.get("summary"), str):
        mended["summary"] = shorten(card["summary"])
    if card.get("suggestions"):
        mended["suggestions"] = [
            {"uuid": str(uuid5(instance, f"{place}/suggestion/{at}"))} | suggestion
            for at, suggestion in enumerate(card["suggestions"])
        ]
    return mended


def check_response(response: Mapping[str, Any]) -> list[str]:
    """Return every breach of CDS Hooks 2.0.1 in a response body, each with its place; [] if none.

    uuids on cards and suggestions are demanded too: without them no client can send feedback.
    """
    return list(_response_problems(response))


def _response_problems(response: Mapping[str, Any]) -> Iterator[str]:
    cards = response.get("cards")
    if not isinstance(cards, list):
        yield "cards: must be an array, if an empty one"
        return
    for at, card in enumerate(cards):
        yield from _each(card, f"cards[{at}]", _card_problems)
    for at, action in enumerate(_listed(response, "systemActions")):
        yield from _each(action, f"systemActions[{at}]", _action_problems)
    yield from _extension_problems(response, "response")
    rest = {key: value for key, value in response.items() if key != "cards"}
    yield from _empty_members(rest, "response")
    yield from _repeated_uuids(cards)


def _each(value: Any, place: str, problems: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from problems(value, place)
    else:
        yield f"{place}: must be an object"


def _listed(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key, [])
    return found if isinstance(found, list) else [None]


def _card_problems(card: Json, place: str) -> Iterator[str]:
    yield from _summary_problems(card, place)
    yield from _one_of(card, "indicator", INDICATORS, place)
    yield from _uuid_problems(card, place)
    yield from _text_problems(card, ("detail",), place, required=False)
    yield from _each(card.get("source"), f"{place}.source", _source_problems)
    yield from _suggestions_problems(card, place)
    for at, link in enumerate(_listed(card, "links")):
        yield from _each(link, f"{place}.links[{at}]", _link_problems)
    for at, reason in enumerate(_listed(card, "overrideReasons")):
        yield from _each(reason, f"{place}.overrideReasons[{at}]", _reason_problems)
    yield from _extension_problems(card, place)
    yield from _empties(card, place)


def _summary_problems(card: Json, place: str) -> Iterator[str]:
    summary = card.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        yield f"{place}.summary: must be a sentence"
    elif len(summary) > SUMMARY_LIMIT:
        yield f"{place}.summary: {len(summary)} characters, {SUMMARY_LIMIT} are the most"


def _one_of(value: Json, key: str, allowed: tuple[str, ...], place: str) -> Iterator[str]:
    if value.get(key) not in allowed:
        yield f"{place}.{key}: must be one of {', '.join(allowed)}"


def _uuid_problems(value: Json, place: str) -> Iterator[str]:
    found = value.get("uuid")
    if not isinstance(found, str) or not _UUID.match(found):
        yield f"{place}.uuid: must be a plain UUID"


def _text_problems(
    value: Json, keys: Iterable[str], place: str, *, required: bool = True
) -> Iterator[str]:
    for key in keys:
        if (required or key in value) and not (isinstance(value.get(key), str) and value[key]):
            yield f"{place}.{key}: must be a text"


def _url_problems(value: Json, keys: Iterable[str], place: str) -> Iterator[str]:
    for key in keys:
        if key in value and not _absolute(value[key]):
            yield f"{place}.{key}: must be an absolute URL"


def _absolute(value: Any) -> bool:
    return isinstance(value, str) and bool(urlsplit(value).scheme and urlsplit(value).netloc)


def _source_problems(source: Json, place: str) -> Iterator[str]:
    yield from _text_problems(source, ("label",), place)
    yield from _url_problems(source, ("url", "icon"), place)
    if "topic" in source:
        yield from _each(source["topic"], f"{place}.topic", _coding_problems)


def _coding_problems(coding: Json, place: str) -> Iterator[str]:
    yield from _text_problems(coding, ("code", "system"), place)


def _reason_problems(reason: Json, place: str) -> Iterator[str]:
    yield from _text_problems(reason, ("code", "system", "display"), place)


def _link_problems(link: Json, place: str) -> Iterator[str]:
    yield from _text_problems(link, ("label", "url"), place)
    yield from _url_problems(link, ("url",), place)
    yield from _one_of(link, "type", LINK_TYPES, place)
    if "appContext" in link and link.get("type") != "smart":
        yield f"{place}.appContext: goes with type smart only"
    if not isinstance(link.get("autolaunchable", False), bool):
        yield f"{place}.autolaunchable: must be true or false"
    if "autoLaunchable" in link:
        yield f"{place}.autoLaunchable: is spelt autolaunchable"


def _suggestions_problems(card: Json, place: str) -> Iterator[str]:
    suggestions = _listed(card, "suggestions")
    behavior = card.get("selectionBehavior")
    if suggestions or "selectionBehavior" in card:
        yield from _one_of(card, "selectionBehavior", SELECTION_BEHAVIORS, place)
    recommended = [item for item in suggestions if _is_recommended(item)]
    if behavior == "at-most-one" and len(recommended) > 1:
        yield f"{place}.suggestions: {len(recommended)} are recommended where one can be chosen"
    for at, suggestion in enumerate(suggestions):
        yield from _each(suggestion, f"{place}.suggestions[{at}]", _suggestion_problems)


def _is_recommended(suggestion: Any) -> bool:
    return isinstance(suggestion, dict) and suggestion.get("isRecommended") is True


def _suggestion_problems(suggestion: Json, place: str) -> Iterator[str]:
    yield from _text_problems(suggestion, ("label",), place)
    yield from _uuid_problems(suggestion, place)
    if not isinstance(suggestion.get("isRecommended", False), bool):
        yield f"{place}.isRecommended: must be true or false"
    if "actionSelectionBehavior" in suggestion:
        yield f"{place}.actionSelectionBehavior: only for clients known to support it"
    for at, action in enumerate(_listed(suggestion, "actions")):
        yield from _each(action, f"{place}.actions[{at}]", _action_problems)
    yield from _extension_problems(suggestion, place)


def _action_problems(action: Json, place: str) -> Iterator[str]:
    yield from _one_of(action, "type", ACTION_TYPES, place)
    yield from _text_problems(action, ("description",), place)
    if action.get("type") == "delete":
        yield from _delete_problems(action, place)
    else:
        yield from _write_problems(action, place)
    yield from _extension_problems(action, place)


def _delete_problems(action: Json, place: str) -> Iterator[str]:
    target = action.get("resourceId")
    if not isinstance(target, str) or not _RELATIVE.match(target):
        yield f'{place}.resourceId: must be a relative reference such as "ServiceRequest/123"'
    if "resource" in action:
        yield f"{place}.resource: a delete names its target in resourceId alone"


def _write_problems(action: Json, place: str) -> Iterator[str]:
    resource = action.get("resource")
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        yield f"{place}.resource: must be a whole FHIR resource"
    elif action.get("type") == "update" and not resource.get("id"):
        yield f"{place}.resource.id: an order without an id cannot be updated"


def _extension_problems(value: Mapping[str, Any], place: str) -> Iterator[str]:
    if "extension" in value and not isinstance(value["extension"], dict):
        yield f"{place}.extension: must be an object"


def _empties(value: Any, place: str) -> Iterator[str]:
    if _empty(value):
        yield f"{place}: is empty; leave it out"
    elif isinstance(value, dict):
        yield from _empty_members(value, place)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _empties(item, f"{place}[{at}]")


def _empty_members(value: Json, place: str) -> Iterator[str]:
    for key, item in value.items():
        if key not in _OPAQUE or _empty(item):
            yield from _empties(item, f"{place}.{key}")


def _repeated_uuids(cards: list[Any]) -> Iterator[str]:
    found = [item.get("uuid") for card in cards for item in _with_suggestions(card)]
    for repeated in sorted({uuid for uuid in found if uuid and found.count(uuid) > 1}, key=str):
        yield f"uuid {repeated}: used more than once"


def _with_suggestions(card: Any) -> list[Json]:
    if not isinstance(card, dict):
        return []
    return [card, *(item for item in _listed(card, "suggestions") if isinstance(item, dict))]
