"""From a kind of card and its texts to CDS Hooks JSON: identity, source, reasons, nothing empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from cards.words import WORDS
from cds_service.evaluation import PolicyHead

Json = dict[str, Any]

_NAMESPACE = uuid5(NAMESPACE_URL, WORDS["uuid-namespace"])
_INDICATORS = ("critical", "warning", "info")


@dataclass(frozen=True)
class Draft:
    """A card before it has its identity.

    `kind` is a key of `topics` in the words, `key` what makes it this card among those of one
    call, `rank` its place among cards of the same indicator, `overrides` which reasons it offers
    for going on (a key of `overrides` in the words; the kind where there is none), `findings` ids
    of the safety findings it shows: an answer to the card is an answer to them.
    """

    kind: str
    key: tuple[str, ...]
    indicator: str
    rank: int
    summary: str
    detail: str
    label: str
    orders: tuple[str, ...]
    suggestions: Sequence[Json] = ()
    links: Sequence[Json] = ()
    one_of: bool = False
    overrides: str = ""
    findings: tuple[str, ...] = ()

    @property
    def urgency(self) -> tuple[int, int]:
        """What cards are ordered by: indicator first."""
        return _INDICATORS.index(self.indicator), self.rank


def finish(draft: Draft, hook_instance: str, topic: Json | None = None) -> Json:
    """Return the card as JSON, its uuids made of the call and of what the card says (a retry
    repeats them). `topic` is a Coding in the place of the kind's own."""
    uuid = uuid5(_NAMESPACE, "|".join((hook_instance, draft.kind, *draft.key)))
    card = {
        "uuid": str(uuid),
        "summary": draft.summary,
        "detail": draft.detail,
        "indicator": draft.indicator,
        "source": {"label": draft.label, "topic": topic or _topic(draft.kind)},
        "suggestions": [_identified(item, uuid) for item in draft.suggestions],
        "selectionBehavior": _behaviour(draft),
        "overrideReasons": _reasons(draft),
        "links": list(draft.links),
        "extension": _extension(draft),
    }
    return {name: value for name, value in card.items() if filled(value)}


def _extension(draft: Draft) -> Json:
    named = {"massage-cds.orders": list(draft.orders), "massage-cds.findings": [*draft.findings]}
    return {name: value for name, value in named.items() if value}


def filled(value: Any) -> bool:
    """Whether a JSON value may stand in a response: not null, "", [], {} or made of such only."""
    if isinstance(value, dict):
        return any(filled(item) for item in value.values())
    return value is not None and value not in ("", [])


def policy_label(policy: PolicyHead | None) -> str:
    """Return the label of a card's source: title and version of the policy, else the project."""
    return f"{policy.title} ({policy.version})" if policy else WORDS["project"]


def _identified(suggestion: Json, card: UUID) -> Json:
    key = suggestion["key"]
    rest = {name: value for name, value in suggestion.items() if name != "key"}
    return {"uuid": str(uuid5(card, key)), **rest}


def _behaviour(draft: Draft) -> str | None:
    if not draft.suggestions:
        return None
    return "at-most-one" if draft.one_of else "any"


def _topic(kind: str) -> Json:
    return {"system": WORDS["topic-system"], "code": kind, "display": WORDS["topics"][kind]}


def _reasons(draft: Draft) -> list[Json]:
    if draft.indicator == "info":
        return []
    return [
        {"system": WORDS["override-system"], "code": code, "display": display}
        for code, display in WORDS["override-reasons"].items()
        if code in (WORDS["overrides"].get(draft.overrides) or WORDS["overrides"][draft.kind])
    ]
