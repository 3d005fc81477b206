"""The coverage card: how the policy's criteria came out for one coverage and group of orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from cards.actions import Wish, about_findings, fits_amount, for_approvable, suggestions_of
from cards.card import Draft, Json, policy_label
from cards.facts import Fact, facts_of
from cards.request import CardRequest
from cards.rows import Row, holes_of, place_of, rows_of, strongest
from cards.tree import Tree
from cards.words import WORDS, detail, note, summary
from cds_service.evaluation import CriterionResult, Evaluation, MissingItem
from cds_service.evidence.answer import Finding, Status
from cds_service.terminology import Parameter

_SHOW = WORDS["show"]


def coverage_cards(
    evaluations: Sequence[Evaluation], request: CardRequest, offered: frozenset[str] = frozenset()
) -> list[Draft]:
    """Return the cards of the evaluations against a policy that applies.

    `offered` are keys of clicks that a safety card shows already. Where one policy answers for
    several coverages, each card names its own.
    """
    telling = [one for one in evaluations if one.policy and one.determination != "not-applicable"]
    return [_card(one, short_of(one, telling), request, offered) for one in telling]


def short_of(evaluation: Evaluation, others: Iterable[Evaluation]) -> str | None:
    """Return the policy's short name, with the coverage where it answers for others as well."""
    short = evaluation.policy.short if evaluation.policy else None
    apart = _apart(evaluation, others)
    return str(WORDS["one-of-several"].format(short, apart)) if short and apart else short


def _apart(evaluation: Evaluation, others: Iterable[Evaluation]) -> str | None:
    """Return what tells a coverage from others under the same policy, None where there are none."""
    alike = [one for one in others if one.policy == evaluation.policy]
    coverages = [*dict.fromkeys(one.coverage for one in alike)]
    plans = {one.coverage: one.plan for one in alike}
    if len(coverages) < 2:
        return None
    place = WORDS["nameless"].format(coverages.index(evaluation.coverage) + 1)
    own = evaluation.plan
    if own and [*plans.values()].count(own) == 1:
        return own
    return f"{own}, {place}" if own else str(place)


def _card(
    evaluation: Evaluation, short: str | None, request: CardRequest, offered: frozenset[str]
) -> Draft:
    view = view_of(evaluation, request) | {"short": short}
    wishes = (wish for wish in wishes_of(evaluation, view) if wish.key not in offered)
    suggestions, one_of = suggestions_of(wishes, request)
    covered = evaluation.determination == "covered"
    return Draft(
        kind="coverage",
        key=identity(evaluation),
        indicator="info" if covered else "warning",
        rank=10,
        summary=summary("coverage", view),
        detail=detail("coverage", view),
        label=policy_label(evaluation.policy),
        orders=evaluation.orders,
        suggestions=suggestions,
        links=_links(evaluation.missing, request),
        one_of=one_of,
        overrides=view["state"],
    )


def identity(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what tells an evaluation from the others of a call."""
    policy = evaluation.policy.id if evaluation.policy else ""
    return evaluation.digest, evaluation.coverage or "", policy, *evaluation.orders


def view_of(evaluation: Evaluation, request: CardRequest) -> Json:
    """Return everything the templates of the coverage card may say."""
    tree = Tree(evaluation.criteria)
    deciding = tree.deciding
    blocking = [item for item in evaluation.missing if item.blocking]
    held = _held(evaluation, blocking)
    rows = rows_of(deciding, evaluation)
    undecided = [item for item in rows if item.verdict != "met"]
    met = [item for item in rows if item.verdict == "met"]
    state = _state(evaluation, blocking, held, deciding)
    bearing = [hole for item in deciding if item.status is Status.UNKNOWN for hole in item.holes]
    shown = strongest(met, undecided, _room(state, undecided))
    return {
        "order": request.name(evaluation.orders),
        "described": [request.describe(reference) for reference in evaluation.orders],
        "evaluation": evaluation,
        "policy": evaluation.policy,
        "short": evaluation.policy.short if evaluation.policy else None,
        "state": state,
        "held": held,
        "otherwise_met": _otherwise_met(deciding, blocking, held),
        "blocking": blocking,
        **_ways(tree, blocking),
        "advice": [item for item in evaluation.missing if not item.blocking],
        "unmet": [item for item in rows if item.verdict == "not-met"],
        "open": [item for item in rows if item.verdict not in ("met", "not-met")],
        "undecided": undecided,
        "met": shown,
        "more_met": len(met) - len(shown),
        "changes": _changes(deciding, blocking, evaluation),
        "other_ways": tree.other_ways,
        "holes": holes_of([*bearing, *evaluation.unread]),
        "bearing": holes_of(bearing or evaluation.unread),
        "addressed": facts_of([evaluation], addressed=True),
        "authorization": WORDS["prior-auth"].get(evaluation.prior_auth),
        "visits": _visits(evaluation),
        "amount": _amount(evaluation),
        "configured": _configured(deciding),
        "dates": _dates(deciding, evaluation),
        "route": _route(evaluation),
        "overdue": _overdue(evaluation),
        "places": _places(
            ((row.place, row.id) for row in undecided or shown), with_rules=bool(undecided)
        ),
        "open_places": _open_places(deciding),
        "show": _SHOW,
    }


def _ways(tree: Tree, blocking: Sequence[MissingItem]) -> Json:
    """Return the ways of which one is enough, by their items; `either` where each takes but one."""
    found = tree.ways(item.id for item in blocking)
    items = {item.id: item for item in blocking}
    return {
        "ways": [
            {"needs": [items[name] for name in way.asks], "enough": way.enough} for way in found
        ],
        "either": bool(found) and all(way.enough and len(way.asks) == 1 for way in found),
    }


def _room(state: str, undecided: Sequence[Row]) -> int:
    """Return how many met criteria are shown: few beside what matters more."""
    if state == "covered":
        return int(_SHOW["strongest"])
    return max(int(_SHOW["strongest"]) - len(undecided), 1)


def _held(evaluation: Evaluation, blocking: Iterable[MissingItem]) -> list[Fact]:
    """Return the open findings for which the determination waits, by effect or by what it asks."""
    asked = any(about_findings(item.action or "") for item in blocking)
    return [
        fact
        for fact in facts_of([evaluation])
        if fact.binding or (asked and fact.urgency == "ED-now" and not fact.partial)
    ]


def _otherwise_met(
    deciding: Iterable[CriterionResult], blocking: Sequence[MissingItem], held: Sequence[Fact]
) -> bool:
    """Whether nothing but the open findings stands between the order and its criteria."""
    settled = {name for fact in held for name in fact.asks}
    met = all(item.status is Status.MET for item in deciding)
    return bool(held) and met and all(item.id in settled for item in blocking)


def _state(
    evaluation: Evaluation,
    blocking: Sequence[MissingItem],
    held: Sequence[Fact],
    deciding: Sequence[CriterionResult],
) -> str:
    """Return which sentence the result is: the first that fits."""
    if evaluation.determination != "conditional":
        stopped = any(fact.effect == "stop" for fact in held)
        return "stopped" if stopped else evaluation.determination
    states = {
        "lapsed": evaluation.gap == "lapsed",
        "held": held,
        "unread": not blocking and _only_holes(evaluation, deciding),
        "dose": _is_a_part(evaluation),
        "needed": blocking,
    }
    return next((name for name, fits in states.items() if fits), "open")


def _is_a_part(evaluation: Evaluation) -> bool:
    """Whether what can be supported now is less than what is ordered."""
    amount = _amount(evaluation)
    return amount is not None and not (amount["ordered"] and amount["value"] >= amount["ordered"])


def _only_holes(evaluation: Evaluation, deciding: Iterable[CriterionResult]) -> bool:
    """Whether nothing but unread data keeps the criteria open, also behind a part that fits."""
    undecided = [item for item in deciding if item.status is not Status.MET and not item.derived]
    explained = all(item.status is Status.UNKNOWN and item.holes for item in undecided)
    return bool(evaluation.unread) and explained


def _changes(
    deciding: Iterable[CriterionResult], blocking: Iterable[MissingItem], evaluation: Evaluation
) -> list[str]:
    """Return what would change a criterion that is not met, where no item says it already."""
    unmet = [item for item in deciding if item.status is Status.NOT_MET]
    listed = evaluation.determination == "conditional"
    said = {item.text for item in blocking} if listed else set()
    texts = (text for item in unmet for text in item.would_change if text not in said)
    return [*dict.fromkeys(texts)]


def _visits(evaluation: Evaluation) -> Json | None:
    """Return used, ordered and allowed visits where the policy limits them for a known period."""
    limits = evaluation.limits or {}
    period = WORDS["limit-periods"].get(limits.get("period"))
    facts = evaluation.facts
    known = period and period["used"] in facts and "order.visits" in facts
    if not known or not limits.get("visits"):
        return None
    used, ordered = facts[period["used"]], facts["order.visits"]
    total, limit = used + ordered, Fraction(limits["visits"])
    within = total <= limit and ordered >= 1
    return {
        "used": used, "ordered": ordered, "first": used + 1, "last": total,
        "limit": limit, "within": within, "period": period,
    }  # fmt: skip


def _amount(evaluation: Evaluation) -> Json | None:
    amount = evaluation.approvable_now
    if amount is None:
        return None
    stem = amount.unit.removesuffix("s")
    ordered = evaluation.facts.get("order.visits") if stem == "visit" else None
    unit = stem if (ordered or amount.value) == 1 else f"{stem}s"
    return {"value": amount.value, "unit": unit, "ordered": ordered, "stem": stem}


def _configured(deciding: Iterable[CriterionResult]) -> list[Parameter]:
    """Return the numbers without a source on which an open or unmet criterion rests."""
    used = (use for item in deciding if item.status is not Status.MET for use in item.parameters)
    return [*{use.id: use for use in used if use.configured}.values()]


def _dates(deciding: Iterable[CriterionResult], evaluation: Evaluation) -> Json | None:
    """Return the period over which the evidence was written, plan and order aside."""
    own = {*evaluation.orders, evaluation.coverage}
    days = [
        item.date
        for criterion in deciding
        for item in criterion.evidence
        if item.date and item.reference not in own
    ]
    return {"first": min(days)[:10], "last": max(days)[:10]} if days else None


def _route(evaluation: Evaluation) -> str | None:
    if evaluation.determination != "not-covered" or evaluation.policy is None:
        return None
    return evaluation.policy.route or str(WORDS["route"])


def _overdue(evaluation: Evaluation) -> bool:
    due = evaluation.policy.review_due if evaluation.policy else None
    return due is not None and evaluation.day > due


def _places(rows: Iterable[tuple[str, str]], with_rules: bool) -> list[str]:
    """Return the sections that rules rest on, each once, with the rules where they are few."""
    held: dict[str, dict[str, None]] = {}
    for place, rule in rows:
        held.setdefault(place, {})[rule] = None
    if not with_rules:
        return [*held]
    return [f"{place} ({', '.join(ids)})" for place, ids in held.items()]


def _open_places(deciding: Iterable[CriterionResult]) -> list[str]:
    """Return the sections of what is open or not met, whether or not a card says it in a row."""
    undecided = (item for item in deciding if item.status is not Status.MET)
    return _places(((place_of(item), item.id) for item in undecided), with_rules=True)


def wishes_of(evaluation: Evaluation, view: Json) -> Iterator[Wish]:
    """Yield the clicks that help, as the view of an evaluation has it."""
    items = sorted(_offered(evaluation, view), key=lambda item: not item.blocking)
    if view["state"] != "unread":
        yield from _dose_wish(evaluation, items)
    diagnoses = _reason_evidence(evaluation.criteria)
    found = tuple(finding for fact in view["held"] for finding in fact.evidence)
    about = {name: view[name] for name in ("evaluation", "policy", "described")}
    for item in items:
        if item.action:
            yield Wish(
                key=item.action,
                orders=evaluation.orders,
                note=note("task-note", about | {"item": item}),
                item=item.text,
                evidence=found if about_findings(item.action) else diagnoses,
                amount=evaluation.approvable_now,
                questionnaire=item.questionnaire,
            )


def _offered(evaluation: Evaluation, view: Json) -> list[MissingItem]:
    """Return the items whose clicks help: an open emergency, or a refusal, needs no advice."""
    urgent = any(fact.urgency == "ED-now" for fact in view["held"])
    if view["state"] in ("stopped", "not-covered") or urgent:
        route = evaluation.policy.route_items if evaluation.policy else ()
        wanted = route if view["state"] == "not-covered" else ()
        return [item for item in evaluation.missing if item.blocking or item.id in wanted]
    return list(evaluation.missing)


def _dose_wish(evaluation: Evaluation, items: Sequence[MissingItem]) -> list[Wish]:
    amount = evaluation.approvable_now
    key = for_approvable(amount) if amount else None
    if key is None or any(fits_amount(item.action) for item in items):
        return []
    return [Wish(key=key, orders=evaluation.orders, amount=amount)]


def _reason_evidence(criteria: Iterable[CriterionResult]) -> tuple[Finding, ...]:
    diagnoses = {
        finding.reference: finding
        for item in criteria
        if item.counts and item.status is Status.MET
        for finding in item.evidence
        if finding.reference.startswith("Condition/")
    }
    return tuple(diagnoses.values())


def _links(missing: Iterable[MissingItem], request: CardRequest) -> list[dict[str, Any]]:
    """Return one link to a form at most, where the site has a page for it."""
    form = next((item for item in missing if item.questionnaire), None)
    if not request.form_page or form is None:
        return []
    url = request.form_page.replace("{questionnaire}", str(form.questionnaire))
    return [{"label": note("form-link", {"item": form}), "url": url, "type": "absolute"}]
