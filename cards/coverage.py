"""The coverage card: how the policy's criteria came out for one coverage and group of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cards.actions import Wish, about_findings, fits_amount, for_approvable, suggestions_of
from cards.card import Draft, Json, policy_label
from cards.facts import Fact, facts_of
from cards.request import CardRequest
from cards.words import WORDS, detail, note, summary
from cds_service.evaluation import CriterionResult, Evaluation, MissingItem, ParameterUse
from cds_service.evidence.answer import Finding, Status
from cds_service.record.model import Hole

_SHOW = WORDS["show"]
_ORDER = {Status.NOT_MET: 0, Status.UNKNOWN: 1, Status.MET: 2, Status.NA: 3}


@dataclass(frozen=True)
class Row:
    """A criterion as a line of the table.

    `rule` is its id with its source, `verdict` a key of `verdicts` in the words.
    """

    rule: str
    text: str
    verdict: str
    because: str
    evidence: tuple[Finding, ...]
    holes: tuple[Hole, ...]


def coverage_card(
    evaluation: Evaluation, request: CardRequest, offered: frozenset[str] = frozenset()
) -> Draft | None:
    """Return the card of an evaluation against a policy, None where the policy does not apply.

    `offered` are keys of clicks that a safety card shows already.
    """
    if evaluation.policy is None or evaluation.determination == "not-applicable":
        return None
    view = view_of(evaluation, request)
    wishes = [wish for wish in _wishes(evaluation, view) if wish.key not in offered]
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
    )


def identity(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what tells an evaluation from the others of a call."""
    policy = evaluation.policy.id if evaluation.policy else ""
    return evaluation.digest, evaluation.coverage or "", policy, *evaluation.orders


def view_of(evaluation: Evaluation, request: CardRequest) -> Json:
    """Return everything the templates of the coverage card may say."""
    deciding = _deciding(evaluation.criteria)
    blocking = [item for item in evaluation.missing if item.blocking]
    held = [fact for fact in facts_of([evaluation]) if fact.effect in ("hold", "stop")]
    unmet = [row(item) for item in deciding if item.status is Status.NOT_MET]
    holes = holes_of(evaluation.unread)
    return {
        "order": request.name(evaluation.orders),
        "described": [request.describe(reference) for reference in evaluation.orders],
        "evaluation": evaluation,
        "policy": evaluation.policy,
        "state": _state(evaluation, blocking, held, deciding),
        "held": held,
        "blocking": blocking,
        "advice": [item for item in evaluation.missing if not item.blocking],
        "unmet": unmet,
        "open": [row(item) for item in deciding if item.status is Status.UNKNOWN],
        "rows": _rows(deciding, evaluation.missing),
        "changes": _changes(deciding),
        "holes": holes,
        "addressed": facts_of([evaluation], addressed=True),
        "authorization": WORDS["prior-auth"].get(evaluation.prior_auth),
        "visits": _visits(evaluation),
        "amount": _amount(evaluation),
        "configured": _configured(deciding),
        "dates": _dates(deciding, evaluation),
        "route": _route(evaluation),
        "overdue": _overdue(evaluation),
        "show": _SHOW,
    }


def row(criterion: CriterionResult) -> Row:
    """Return a criterion as a line of the table."""
    return Row(
        rule=f"{criterion.id} ({criterion.source})",
        text=criterion.text,
        verdict=_verdict(criterion),
        because=criterion.because or "",
        evidence=criterion.evidence,
        holes=holes_of(criterion.holes),
    )


def holes_of(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """Return the holes by resource type and reason, each once, without search parameters."""
    named = ((hole.query.split("?")[0].split("/")[0], hole.reason) for hole in holes)
    return tuple(Hole("", query, reason) for query, reason in dict.fromkeys(named))


def _verdict(criterion: CriterionResult) -> str:
    if criterion.status is not Status.UNKNOWN:
        return criterion.status.value
    if criterion.holes:
        return "unread"
    return "unknown" if criterion.evidence else "not-found"


def _deciding(criteria: Sequence[CriterionResult]) -> list[CriterionResult]:
    """Return the leaves that the result rests on."""
    named = {item.id: item for item in criteria}
    parents = {item.parent for item in criteria}
    return [
        item for item in criteria if item.counts and item.id not in parents and _bears(item, named)
    ]


def _bears(item: CriterionResult, named: Mapping[str, CriterionResult]) -> bool:
    """Whether a criterion is no failed branch beside one that holds or may still hold."""
    if item.status is Status.NA:
        return False
    group = named.get(item.parent or "")
    if group is None or group is item:
        return True
    weaker = group.operator != "all" and _ORDER[item.status] < _ORDER[group.status]
    return not weaker and _bears(group, named)


def _rows(deciding: Iterable[CriterionResult], missing: Iterable[MissingItem]) -> list[Row]:
    """Return the lines of the table, what is open first.

    A met criterion tells by its evidence; a document that is asked for stands among the items.
    """
    asked = {item.id for item in missing}
    telling = [
        item
        for item in deciding
        if item.evidence
        or item.status is Status.NOT_MET
        or (item.status is Status.UNKNOWN and (item.holes or item.id not in asked))
    ]
    return [row(item) for item in sorted(telling, key=lambda item: _ORDER[item.status])]


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
        "held": held,
        "dose": evaluation.approvable_now,
        "unread": not blocking and _only_holes(evaluation, deciding),
        "needed": blocking,
    }
    return next((name for name, fits in states.items() if fits), "open")


def _only_holes(evaluation: Evaluation, deciding: Iterable[CriterionResult]) -> bool:
    undecided = [item for item in deciding if item.status is not Status.MET]
    explained = all(item.status is Status.UNKNOWN and item.holes for item in undecided)
    return bool(evaluation.unread) and explained


def _changes(deciding: Iterable[CriterionResult]) -> list[str]:
    unmet = [item for item in deciding if item.status is Status.NOT_MET]
    return [*dict.fromkeys(text for item in unmet for text in item.would_change)]


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
    unit = stem if amount.value == 1 else f"{stem}s"
    ordered = evaluation.facts.get("order.visits") if stem == "visit" else None
    return {"value": amount.value, "unit": unit, "ordered": ordered, "stem": stem}


def _configured(deciding: Iterable[CriterionResult]) -> list[ParameterUse]:
    """Return the numbers without a source on which an open or unmet criterion rests."""
    used = (use for item in deciding if item.status is not Status.MET for use in item.parameters)
    return [*{use.id: use for use in used if use.configured}.values()]


def _dates(deciding: Iterable[CriterionResult], evaluation: Evaluation) -> Json | None:
    found = {
        (item.reference, item.date[:10])
        for criterion in deciding
        for item in criterion.evidence
        if item.date
    }
    days = sorted(day for _, day in found)
    return {"first": days[0], "last": days[-1], "count": len(found)} if days else None


def _route(evaluation: Evaluation) -> str | None:
    if evaluation.determination != "not-covered" or evaluation.policy is None:
        return None
    routes = WORDS["exception-routes"]
    return str(routes.get(evaluation.policy.id, routes["default"]))


def _overdue(evaluation: Evaluation) -> bool:
    due = evaluation.policy.review_due if evaluation.policy else None
    return due is not None and evaluation.day > due


def _wishes(evaluation: Evaluation, view: Json) -> list[Wish]:
    diagnoses = _reason_evidence(evaluation.criteria)
    found = tuple(finding for fact in view["held"] for finding in fact.evidence)
    items = sorted(evaluation.missing, key=lambda item: not item.blocking)
    wishes = [
        Wish(
            key=item.action,
            orders=evaluation.orders,
            note=note("task-note", view | {"item": item}),
            item=item.text,
            evidence=found if about_findings(item.action) else diagnoses,
            amount=evaluation.approvable_now,
            questionnaire=item.questionnaire,
        )
        for item in items
        if item.action
    ]
    return [*_dose_wish(evaluation, items), *wishes]


def _dose_wish(evaluation: Evaluation, items: Sequence[MissingItem]) -> list[Wish]:
    amount = evaluation.approvable_now
    key = for_approvable(amount) if amount else None
    if key is None or any(fits_amount(item.action) for item in items):
        return []
    return [Wish(key=key, orders=evaluation.orders, amount=amount)]


def _reason_evidence(criteria: Iterable[CriterionResult]) -> tuple[Finding, ...]:
    met = (item for item in criteria if item.counts and item.status is Status.MET)
    found = (finding for item in met for finding in item.evidence)
    diagnoses = (finding for finding in found if finding.reference.startswith("Condition/"))
    return tuple({finding.reference: finding for finding in diagnoses}.values())


def _links(missing: Iterable[MissingItem], request: CardRequest) -> list[dict[str, Any]]:
    """Return one link to a form at most, where the site has a page for it."""
    form = next((item for item in missing if item.questionnaire), None)
    if not request.form_page or form is None:
        return []
    url = request.form_page.replace("{questionnaire}", str(form.questionnaire))
    return [{"label": note("form-link", {"item": form}), "url": url, "type": "absolute"}]
