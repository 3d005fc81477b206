"""The safety cards: one for each urgency that occurs, over all coverages together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cards.actions import Wish, offered, ranked, suggestions_of
from cards.card import Draft, policy_label
from cards.coverage import identity
from cards.facts import Fact, facts_of, gravest, new_cautions
from cards.request import CardRequest
from cards.rows import holes_of
from cards.words import WORDS, detail, note, summary
from cds_service.evaluation import Evaluation


def safety_cards(evaluations: Sequence[Evaluation], request: CardRequest) -> list[Draft]:
    """Return the cards for what is open, the most urgent first.

    A caution for which a determination waits is a card of its own kind: it asks for something.
    """
    facts = facts_of(evaluations)
    cautions = new_cautions(facts)
    kept = [fact for fact in facts if fact.urgency != "caution"] + cautions
    groups = {kind: [f for f in kept if _kind(f) == kind] for kind in WORDS["safety-cards"]}
    return [_card(kind, group, evaluations, request) for kind, group in groups.items() if group]


def _kind(fact: Fact) -> str:
    """Return the card a fact stands on: a consult for which nothing waits is a caution."""
    if fact.urgency == "caution" and fact.binding:
        return "binding"
    return "caution" if fact.urgency == "specialist" and not fact.binding else fact.urgency


def _card(
    kind: str, facts: list[Fact], evaluations: Sequence[Evaluation], request: CardRequest
) -> Draft:
    words = WORDS["safety-cards"][kind]
    partial = all(fact.partial for fact in facts)
    orders = _orders(facts)
    view = _view(kind, facts, orders, evaluations, request)
    suggestions, one_of = suggestions_of(ranked(_wishes(facts, view), kind), request)
    return Draft(
        kind="safety",
        key=(kind, *_identity(facts)),
        indicator=words["partial" if partial else "indicator"],
        rank=words["rank"],
        summary=summary("safety", view),
        detail=detail("safety", view),
        label=_label(facts),
        orders=orders,
        suggestions=suggestions,
        one_of=one_of,
        overrides=kind,
        findings=tuple(sorted({item.finding.id for fact in facts for item in fact.raised})),
    )


def _view(
    kind: str,
    facts: list[Fact],
    orders: tuple[str, ...],
    evaluations: Sequence[Evaluation],
    request: CardRequest,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "facts": facts,
        "found": _found(facts),
        "partial": all(fact.partial for fact in facts),
        "order": request.name(orders),
        "described": [request.describe(reference) for reference in orders],
        "needs": [*dict.fromkeys(text for fact in facts for text in fact.needs)],
        "stops": any(fact.effect == "stop" for fact in facts),
        "sources": _sources(facts, " ".join(map(request.describe, orders))),
        "outcomes": gravest(facts),
        "holes": holes_of(hole for item in evaluations for hole in item.unread),
        "show": WORDS["show"],
    }


def _found(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    """Return each fact with the words of all rules that it raises."""
    found: dict[Any, dict[str, Any]] = {}
    for fact in facts:
        shown = frozenset(item.reference for item in fact.evidence) or fact.text
        entry = found.setdefault(shown, {"fact": fact, "texts": []})
        entry["texts"].append(fact.text)
    return [*found.values()]


def _wishes(facts: Iterable[Fact], view: dict[str, Any]) -> list[Wish]:
    return [
        Wish(
            key=key,
            orders=_orders([fact]),
            note=note("referral-note", view | {"fact": fact}),
            item=fact.text,
            evidence=fact.evidence,
            marks=(fact.effect, "" if fact.partial else fact.urgency),
        )
        for fact in facts
        for key in fact.suggests
        if offered(key, (fact.effect, fact.urgency))
    ]


def _orders(facts: Iterable[Fact]) -> tuple[str, ...]:
    raised = (item for fact in facts for item in fact.raised)
    return tuple(dict.fromkeys(ref for item in raised for ref in item.evaluation.orders))


def _sources(facts: Iterable[Fact], ordered: str) -> list[str]:
    """Return document, sections and ids of the rules that raised the facts, each document once.

    Of many sections those come first that name what is `ordered`.
    """
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for item in (item for fact in facts for item in fact.raised):
        places, ids = found.setdefault(item.document, ({}, {}))
        places.update(dict.fromkeys(item.places))
        ids[item.finding.id] = None
    return [
        f"{document}, {_few(_nearest(places, ordered))} ({', '.join(ids)})"
        for document, (places, ids) in found.items()
    ]


def _nearest(places: Iterable[str], ordered: str) -> list[str]:
    words = set(ordered.lower().split())
    return sorted(places, key=lambda place: -len(words & set(place.lower().split())))


def _few(places: Sequence[str]) -> str:
    most = WORDS["show"]["sections"]
    rest = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(places[:most]) + rest


def _label(facts: Iterable[Fact]) -> str:
    """Return the document where one raised everything, else the project."""
    raised = [item for fact in facts for item in fact.raised]
    own = {item.evaluation.policy for item in raised if item.finding.policy != "overlay"}
    shared = {item.finding.origins for item in raised if item.finding.policy == "overlay"}
    if len(own) == 1 and not shared:
        return policy_label(own.pop())
    if len(shared) == 1 and not own:
        return ", ".join(shared.pop()) or policy_label(None)
    return policy_label(None)


def _identity(facts: Iterable[Fact]) -> list[str]:
    raised = [item for fact in facts for item in fact.raised]
    parts = {"/".join((*identity(item.evaluation), item.finding.id)) for item in raised}
    return sorted(parts)
