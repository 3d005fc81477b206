"""The safety cards: one for each urgency that occurs, over all coverages together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cards.actions import Wish, suggestions_of
from cards.card import Draft, policy_label
from cards.coverage import holes_of, identity
from cards.facts import Fact, facts_of, new_cautions
from cards.request import CardRequest
from cards.words import WORDS, detail, note, summary
from cds_service.evaluation import Evaluation


def safety_cards(evaluations: Sequence[Evaluation], request: CardRequest) -> list[Draft]:
    """Return the cards for what is open, the most urgent first."""
    facts = facts_of(evaluations)
    cautions = new_cautions(facts)
    kept = [fact for fact in facts if fact.urgency != "caution"] + cautions
    groups = {
        urgency: [fact for fact in kept if fact.urgency == urgency]
        for urgency in WORDS["urgencies"]
    }
    return [
        _card(urgency, group, evaluations, request) for urgency, group in groups.items() if group
    ]


def _card(
    urgency: str, facts: list[Fact], evaluations: Sequence[Evaluation], request: CardRequest
) -> Draft:
    words = WORDS["urgencies"][urgency]
    partial = all(fact.partial for fact in facts)
    orders = _orders(facts)
    view = _view(urgency, facts, orders, evaluations, request)
    suggestions, one_of = suggestions_of(_wishes(facts, view), request)
    return Draft(
        kind="safety",
        key=(urgency, *_identity(facts)),
        indicator=words["partial" if partial else "indicator"],
        rank=words["rank"] if urgency != "caution" else 30,
        summary=summary("safety", view),
        detail=detail("safety", view),
        label=_label(facts),
        orders=orders,
        suggestions=suggestions,
        one_of=one_of,
    )


def _view(
    urgency: str,
    facts: list[Fact],
    orders: tuple[str, ...],
    evaluations: Sequence[Evaluation],
    request: CardRequest,
) -> dict[str, Any]:
    return {
        "urgency": urgency,
        "facts": facts,
        "partial": all(fact.partial for fact in facts),
        "order": request.name(orders),
        "described": [request.describe(reference) for reference in orders],
        "sources": _sources(facts),
        "outcomes": [*dict.fromkeys(pair for fact in facts for pair in fact.outcomes)],
        "holes": holes_of(hole for item in evaluations for hole in item.unread),
        "show": WORDS["show"],
    }


def _wishes(facts: Iterable[Fact], view: dict[str, Any]) -> list[Wish]:
    return [
        Wish(
            key=key,
            orders=_orders([fact]),
            note=note("referral-note", view | {"fact": fact}),
            item=fact.text,
            evidence=fact.evidence,
            effect=fact.effect,
        )
        for fact in facts
        for key in fact.suggests
    ]


def _orders(facts: Iterable[Fact]) -> tuple[str, ...]:
    raised = (item for fact in facts for item in fact.raised)
    return tuple(dict.fromkeys(ref for item in raised for ref in item.evaluation.orders))


def _sources(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """Return (policy, rule with its place in the source) for each rule that raised a fact."""
    raised = (item for fact in facts for item in fact.raised)
    return [*dict.fromkeys((_named(item), item.rule) for item in raised)]


def _named(raised: Any) -> str:
    head = raised.evaluation.policy
    if raised.finding.policy == "overlay" or head is None:
        return str(WORDS["overlay"])
    return f"{head.title} ({head.version})"


def _label(facts: Iterable[Fact]) -> str:
    """Return the policy where one policy's own rules raised everything, else the project."""
    raised = [item for fact in facts for item in fact.raised]
    heads = {item.evaluation.policy for item in raised}
    own = all(item.finding.policy != "overlay" for item in raised)
    return policy_label(heads.pop() if own and len(heads) == 1 else None)


def _identity(facts: Iterable[Fact]) -> list[str]:
    raised = [item for fact in facts for item in fact.raised]
    parts = {"/".join((*identity(item.evaluation), item.finding.id)) for item in raised}
    return sorted(parts)
