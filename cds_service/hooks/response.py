"""The answer to a hook call: what the specification demands of it, kept and checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from cds_service.hooks import schemas

log = logging.getLogger(__name__)

Json = dict[str, Any]

SUMMARY_LIMIT = 139

_OPAQUE = ("resource", "extension")


@dataclass(frozen=True, slots=True)
class HookResponse:
    """What a handler gives back: cards and system actions as CDS Hooks JSON.

    `sent` is called with the service's id and the body just before it leaves.
    """

    cards: list[Json]
    system_actions: list[Json] = field(default_factory=list)
    extension: Mapping[str, Any] = field(default_factory=dict)
    sent: Callable[[str, bytes], None] | None = None


def finish(response: HookResponse, hook_instance: str, *, strict: bool, acts: bool = False) -> Json:
    """Return the body to send: empties left out, summaries within the limit, uuids everywhere.

    A card without a uuid gets one made from the hookInstance and its place, so that a retry repeats
    it. `acts` sends systemActions also when there are none. `strict` (tests) raises ValueError with
    everything that breaks the specification; otherwise a long summary is cut at a word and the rest
    is sent and logged: a hidden safety card would harm more than a crooked one.
    """
    cards = response.cards if strict else _mended(response.cards, UUID(hook_instance))
    body = _body(response, cards, acts)
    problems = check_response(body, acts=acts)
    for problem in problems:
        log.error("call %s answers against the specification: %s", hook_instance, problem)
    if strict and problems:
        raise ValueError("; ".join(problems))
    return body


def _body(response: HookResponse, cards: Iterable[Json], acts: bool) -> Json:
    body: Json = {"cards": [without_empties(card) for card in cards]}
    if acts or response.system_actions:
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
    mended = _named(card, place, instance)
    if isinstance(card.get("summary"), str):
        mended["summary"] = shorten(card["summary"])
    if card.get("suggestions"):
        mended["suggestions"] = [
            _named(suggestion, f"{place}/suggestion/{at}", instance)
            for at, suggestion in enumerate(card["suggestions"])
        ]
    return mended


def _named(item: Json, place: str, instance: UUID) -> Json:
    return {**item} if "uuid" in item else {"uuid": str(uuid5(instance, place)), **item}


def check_response(response: Mapping[str, Any], *, acts: bool = False) -> list[str]:
    """Return every breach of CDS Hooks 2.0.1 in a response body, each with its place; [] if none.

    `acts` demands systemActions, if as an empty array, as the CRD services answer; elsewhere they
    are left out when there are none. What is found wrong is never told: it may be clinical.
    """
    found = schemas.problems("response-crd" if acts else "response", response)
    return [*dict.fromkeys(map(str, found)), *_repeated_uuids(response)]


def _repeated_uuids(response: Mapping[str, Any]) -> Iterator[str]:
    """Yield what no schema can tell: uuids that stand for two things."""
    found = [item.get("uuid") for card in _objects(response, "cards") for item in _identified(card)]
    for repeated in sorted({uuid for uuid in found if uuid and found.count(uuid) > 1}, key=str):
        yield f"uuid {repeated}: used more than once"


def _identified(card: Json) -> list[Json]:
    return [card, *_objects(card, "suggestions")]


def _objects(value: Mapping[str, Any], key: str) -> list[Json]:
    listed = value.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
