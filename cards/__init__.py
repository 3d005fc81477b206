"""Cards: evaluations in words, as CDS Hooks cards.

Every word a clinician reads stands in `templates/`, `words.yaml` and `actions.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cards.actions import action_keys
from cards.card import finish
from cards.coverage import coverage_cards
from cards.notices import no_policy_card, text_only_card
from cards.preview import preview
from cards.request import CardRequest
from cards.safety import safety_cards
from cds_service.evaluation import Evaluation

__all__ = ["CardRequest", "action_keys", "preview", "render"]


def render(evaluations: Sequence[Evaluation], request: CardRequest) -> list[dict[str, Any]]:
    """Return the cards of a call, the most urgent first; none when there is nothing to say.

    One coverage card for each evaluation against a policy, one safety card for each urgency over
    all of them, one card for payers without a policy, one for orders without a code.
    """
    safety = safety_cards(evaluations, request)
    offered = frozenset(item["key"] for draft in safety for item in draft.suggestions)
    coverage = coverage_cards(evaluations, request, offered)
    notices = [no_policy_card(evaluations, request), text_only_card(request)]
    drafts = [draft for draft in [*safety, *coverage, *notices] if draft]
    ordered = sorted(drafts, key=lambda draft: draft.urgency)
    return [finish(draft, request.hook_instance) for draft in ordered]
