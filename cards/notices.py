"""Cards about the call itself: no policy for a payer, an order without a code."""

from __future__ import annotations

from collections.abc import Sequence

from cards.card import Draft
from cards.coverage import holes_of, identity
from cards.request import CardRequest
from cards.words import WORDS, detail, summary
from cds_service.evaluation import Evaluation


def no_policy_card(evaluations: Sequence[Evaluation], request: CardRequest) -> Draft | None:
    """Return one card for all coverages to which no policy was applied."""
    unrouted = [item for item in evaluations if item.policy is None]
    if not unrouted:
        return None
    orders = tuple(dict.fromkeys(ref for item in unrouted for ref in item.orders))
    blocking = [one for item in unrouted for one in item.missing if one.blocking]
    view = {
        "order": request.name(orders),
        "described": [request.describe(reference) for reference in orders],
        "payers": [*dict.fromkeys(item.payer for item in unrouted if item.payer)],
        "uninsured": all(item.coverage is None for item in unrouted),
        "blocking": blocking,
        "holes": holes_of(hole for item in unrouted for hole in item.unread),
        "notes": [*dict.fromkeys(text for item in unrouted for text in item.notes)],
        "others": any(item.policy for item in evaluations),
        "show": WORDS["show"],
    }
    return Draft(
        kind="no-policy",
        key=tuple(part for item in unrouted for part in identity(item)),
        indicator="warning" if blocking else "info",
        rank=20,
        summary=summary("no-policy", view),
        detail=detail("no-policy", view),
        label=WORDS["project"],
        orders=orders,
    )


def text_only_card(request: CardRequest) -> Draft | None:
    """Return a card that asks for a CPT code where an order names massage in words only."""
    if not request.text_only:
        return None
    view = {
        "order": request.name(request.text_only),
        "described": [request.describe(reference) for reference in request.text_only],
        "count": len(request.text_only),
    }
    return Draft(
        kind="text-only",
        key=request.text_only,
        indicator="warning",
        rank=5,
        summary=summary("text-only", view),
        detail=detail("text-only", view),
        label=WORDS["project"],
        orders=request.text_only,
    )
