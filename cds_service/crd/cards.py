"""Cards beside the system actions: policy, limits, other ways, orders to add or change, safety.

Coverage itself is never a card: it stands on the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cards.actions import Wish, adds_order, changes_order, suggestions_of
from cards.card import Draft, finish
from cards.coverage import identity, view_of, wishes_of
from cards.escape import sentence
from cards.preview import grave
from cards.request import CardRequest
from cards.safety import safety_cards
from cards.words import detail, summary
from cds_service.crd.options import ASSOCIATED
from cds_service.crd.state import Assertion
from cds_service.crd.table import TABLE, Json
from cds_service.evaluation import Evaluation

_TOPICS = TABLE["topics"]
_ASK = frozenset(TABLE["cards"]["additional-orders"])
_CHANGE = frozenset(TABLE["cards"]["alternatives"])
_ELSEWHERE = frozenset(TABLE["cards"]["other-ways"])
_INSTEAD: Mapping[str, str] = TABLE["cards"]["instead"]
_NOT_JUDGED = ("code-not-listed", "no-code")
_LIMITED = frozenset(TABLE["cards"]["limits"])
_LINKED = frozenset(TABLE["cards"]["policy"])

Page = Callable[[str], str | None]
"""The address of a policy's page, by its id."""


@dataclass(frozen=True)
class Teller:
    """Writes the cards of one call in the shape of one version.

    `early` is for orders that are not signed yet: of them only what is grave is told. Where no user
    is named, as on dispatch, nobody could ask for an order: there are no clicks.
    """

    request: CardRequest
    shape: Json
    page: Page
    early: bool = False

    def cards(self, assertions: Sequence[Assertion]) -> list[Json]:
        """Return the cards, the most urgent first."""
        drafts = [*self._safety(assertions)]
        offered = frozenset(one["key"] for draft in drafts for one in draft.suggestions)
        if not self.early:
            drafts += [one for it in assertions for one in self._of(it, offered)]
        ordered = sorted(drafts, key=lambda draft: draft.urgency)
        return [self._finished(draft) for draft in ordered]

    def _finished(self, draft: Draft) -> Json:
        row = _TOPICS[draft.kind]
        topic = {"system": self.shape["topic-system"], **row}
        card = finish(draft, self.request.hook_instance, topic)
        about = [{"reference": reference} for reference in draft.orders]
        card["extension"] = {ASSOCIATED: about, **card.get("extension", {})}
        return card

    def _safety(self, assertions: Sequence[Assertion]) -> Iterator[Draft]:
        evaluations = [one.evaluation for one in assertions]
        if self.early:
            evaluations = grave(evaluations)
        for draft in safety_cards(evaluations, self.request):
            label = next(
                (_insurer(one) for one in evaluations if set(one.orders) & set(draft.orders)), ""
            )
            clicks = draft.suggestions if self.request.user else ()
            kept = [one for one in clicks if adds_order(one["key"])]
            yield replace(draft, label=label or draft.label, suggestions=kept)

    def _of(self, assertion: Assertion, offered: frozenset[str]) -> Iterator[Draft]:
        """Yield the cards of one assertion; `offered` are clicks that a safety card shows."""
        evaluation = assertion.evaluation
        if evaluation.policy is None or evaluation.gap in _NOT_JUDGED:
            return
        view = view_of(evaluation, self.request)
        made = (
            self._policy(assertion, view),
            self._limits(assertion, view),
            self._other_ways(assertion, view),
            *self._clicks(assertion, view, offered),
        )
        yield from (draft for draft in made if draft)

    def _policy(self, assertion: Assertion, view: Json) -> Draft | None:
        policy = assertion.evaluation.policy
        url = policy and (policy.url or self.page(policy.id))
        if policy is None or not url or assertion.state not in _LINKED:
            return None
        link = {"label": policy.title, "url": url, "type": "absolute"}
        return self._draft("crd-guideline", assertion, view, links=[link])

    def _limits(self, assertion: Assertion, view: Json) -> Draft | None:
        visits = view["visits"]
        if assertion.state not in _LIMITED or not visits or visits["within"]:
            return None
        return self._draft("crd-limits", assertion, view)

    def _other_ways(self, assertion: Assertion, view: Json) -> Draft | None:
        told = view["changes"] or view["other_ways"] or view["route"]
        if assertion.state not in _ELSEWHERE or not told:
            return None
        return self._draft("crd-off-guideline", assertion, view)

    def _clicks(
        self, assertion: Assertion, view: Json, offered: frozenset[str]
    ) -> Iterator[Draft | None]:
        if not self.request.user:
            return
        every = wishes_of(assertion.evaluation, view)
        wishes = [wish for wish in every if wish.key not in offered]
        if assertion.state in _ASK:
            yield self._offer("crd-orders", assertion, view, wishes, adds_order)
        if assertion.state in _CHANGE:
            changes = [replace(wish, key=_INSTEAD.get(wish.key, wish.key)) for wish in wishes]
            yield self._offer("crd-change", assertion, view, changes, changes_order)

    def _offer(
        self,
        kind: str,
        assertion: Assertion,
        view: Json,
        wishes: Iterable[Wish],
        fits: Callable[[str], bool],
    ) -> Draft | None:
        chosen = [wish for wish in wishes if fits(wish.key)]
        suggestions, one_of = suggestions_of(chosen, self.request)
        if not suggestions:
            return None
        labels = [one["label"] for one in suggestions]
        offered = {one["key"] for one in suggestions}
        wanted = [wish.item for wish in chosen if wish.key in offered and wish.item]
        told = view | {"labels": labels, "wanted": wanted}
        return self._draft(kind, assertion, told, suggestions=suggestions, one_of=one_of)

    def _draft(self, kind: str, assertion: Assertion, view: Json, **more: Any) -> Draft:
        evaluation = assertion.evaluation
        return Draft(
            kind=kind,
            key=identity(evaluation),
            indicator="info",
            rank=TABLE["cards"]["rank"].index(kind) + 10,
            summary=summary(kind, view),
            detail=detail(kind, view),
            label=_insurer(evaluation),
            orders=evaluation.orders,
            **more,
        )


def _insurer(evaluation: Evaluation) -> str:
    """Return the name on the member's card; where it is not known, that of the policy's payer."""
    told = sentence(evaluation.payer or "")
    return told or (evaluation.policy.payer if evaluation.policy else "")
