"""Cards about the call itself: no policy for a payer, an order without a code."""

from __future__ import annotations

from collections.abc import Sequence

from cards.actions import Wish, suggestions_of
from cards.card import Draft
from cards.coverage import identity
from cards.request import CardRequest
from cards.rows import holes_of
from cards.words import WORDS, detail, summary
from cds_service.evaluation import Evaluation
from cds_service.record.model import GONE, Hole

GAPS = frozenset(WORDS["gaps"])


def no_policy_card(evaluations: Sequence[Evaluation], request: CardRequest) -> Draft | None:
    """Return one card for all coverages to which no policy was applied."""
    unrouted = [item for item in evaluations if item.policy is None or item.gap in GAPS]
    if not unrouted:
        return None
    orders = tuple(dict.fromkeys(ref for item in unrouted for ref in item.orders))
    blocking = [one for item in unrouted for one in item.missing if one.blocking]
    view = {
        "order": request.name(orders),
        "described": [request.describe(reference) for reference in orders],
        "payers": [*dict.fromkeys(item.payer for item in unrouted if item.payer)],
        "gap": _gap(unrouted[0]),
        "gaps": [*dict.fromkeys(str(WORDS["gaps"][_gap(item)]) for item in unrouted)],
        "holes": holes_of(hole for item in unrouted for hole in item.unread),
        "notes": [*dict.fromkeys(text for item in unrouted for text in item.notes)],
        "others": any(item not in unrouted for item in evaluations),
        "show": WORDS["show"],
    }
    wishes = [
        Wish(key=item.action, orders=orders, note=item.text, item=item.text)
        for item in blocking
        if item.action
    ]
    suggestions, _ = suggestions_of(wishes, request)
    return Draft(
        kind="no-policy",
        key=tuple(part for item in unrouted for part in identity(item)),
        indicator="warning" if any(map(_open, unrouted)) else "info",
        rank=20,
        summary=summary("no-policy", view),
        detail=detail("no-policy", view),
        label=WORDS["project"],
        orders=orders,
        suggestions=suggestions,
    )


def _open(evaluation: Evaluation) -> bool:
    return evaluation.determination == "conditional"


def _gap(evaluation: Evaluation) -> str:
    """Return why no policy decided, as a key of `gaps` in the words."""
    if evaluation.gap == "no-payer" and any(map(_hides_payer, evaluation.unread)):
        return "unread-payer"
    return evaluation.gap or ("unrouted" if evaluation.coverage else "no-coverage")


def _hides_payer(hole: Hole) -> bool:
    """Whether a payor may well be there, and only could not be read."""
    return hole.query == "Organization" and hole.reason not in GONE


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
