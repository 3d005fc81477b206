"""Cards while an order is being selected: what is unsafe, and what signing will ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from cards.card import Draft, finish, policy_label
from cards.coverage import identity, short_of
from cards.request import CardRequest
from cards.rows import holes_of
from cards.safety import safety_cards
from cards.words import WORDS, detail, summary
from cds_service.evaluation import Evaluation, SafetyFinding

Json = dict[str, Any]

KIND = "will-need"
_LOUD = frozenset(WORDS["preview"]["urgencies"])
_WAITS = frozenset(WORDS["preview"]["effects"])


def preview(evaluations: Sequence[Evaluation], request: CardRequest) -> list[Json]:
    """Return the cards for orders that are chosen but not signed; none when all is quiet.

    The order may still be incomplete, so nothing is missing yet: one card in advance tells what
    the payers will ask for, and none does where it is not safe to go on.
    """
    told = grave(evaluations)
    drafts = safety_cards(told, request)
    stopped = any(_stops(finding) for item in told for finding in item.safety)
    needed = None if stopped else will_need_card(told, request)
    return [finish(draft, request.hook_instance) for draft in [*drafts, needed] if draft]


def grave(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Return the evaluations with the findings alone that are told before an order is signed."""
    return [replace(item, safety=tuple(filter(_loud, item.safety))) for item in evaluations]


def _loud(finding: SafetyFinding) -> bool:
    return finding.urgency in _LOUD or finding.effect in _WAITS


def _stops(finding: SafetyFinding) -> bool:
    urgent = finding.urgency == "ED-now" and finding.grade != "P"
    return not finding.addressed and (urgent or finding.effect == "stop")


def will_need_card(evaluations: Sequence[Evaluation], request: CardRequest) -> Draft | None:
    """Return one card for all payers: items still to be had, and data that could not be read."""
    asking = [(item, _items(item)) for item in evaluations if item.determination != "not-covered"]
    asking = [(item, texts) for item, texts in asking if texts]
    holes = holes_of(hole for item in evaluations for hole in item.unread)
    if not asking and not holes:
        return None
    about = [item for item, _ in asking] or evaluations
    orders = tuple(dict.fromkeys(ref for item in about for ref in item.orders))
    view = {
        "order": request.name(orders),
        "described": [request.describe(reference) for reference in orders],
        "asking": [{"who": _who(item, about), "items": texts} for item, texts in asking],
        "authorizations": _authorizations(item for item, _ in asking),
        "holes": holes,
        "show": WORDS["show"],
    }
    heads = {item.policy for item in about}
    return Draft(
        kind=KIND,
        key=tuple(part for item in about for part in identity(item)),
        indicator="info",
        rank=10,
        summary=summary(KIND, view),
        detail=detail(KIND, view),
        label=policy_label(heads.pop() if len(heads) == 1 else None),
        orders=orders,
    )


def _items(evaluation: Evaluation) -> list[str]:
    """Return what blocks, beside what a safety card asks for already."""
    asked = {name for finding in evaluation.safety for name in finding.asks}
    blocking = (item for item in evaluation.missing if item.blocking and item.id not in asked)
    return [*dict.fromkeys(item.text for item in blocking)]


def _who(evaluation: Evaluation, others: Iterable[Evaluation]) -> str:
    return short_of(evaluation, others) or str(WORDS["preview"]["no-policy"])


def _authorizations(evaluations: Iterable[Evaluation]) -> list[str]:
    told = (WORDS["prior-auth"].get(item.prior_auth) for item in evaluations)
    return [*dict.fromkeys(str(words["detail"]) for words in told if words)]
