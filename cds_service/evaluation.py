"""The Evaluation: what a review found, from which every card and answer is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from msgspec import Struct, field

from cds_service.evidence.answer import Finding, Status
from cds_service.record.model import Hole
from cds_service.terminology import Parameter

Json = dict[str, Any]
Evidence = Callable[[Sequence[Finding]], list[Any]]
"""Returns findings as they stand in the JSON of an evaluation."""


class CriterionResult(Struct, frozen=True):
    """One criterion of the policy's tree with its verdict.

    `because` is the policy's words for the row that decided; `counts` tells whether the root
    reaches it; `would_change` says in words what would change the verdict. `source` is the
    citation for machines, `sections` names the sections it lies in. `derived` tells that other
    criteria alone decide it. `members` are the criteria of a group, `asks` the ids of the items
    that would settle it. `aside` marks a question that the result does not wait for, `supposed` a
    verdict of a what-if.
    """

    id: str
    status: Status
    text: str
    source: str
    parent: str | None = None
    operator: str | None = None
    because: str | None = None
    counts: bool = True
    parameters: tuple[Parameter, ...] = ()
    would_change: tuple[str, ...] = ()
    evidence: tuple[Finding, ...] = ()
    holes: tuple[Hole, ...] = ()
    sections: tuple[str, ...] = ()
    derived: bool = False
    members: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    aside: bool = False
    supposed: bool = False


class MissingItem(Struct, frozen=True):
    """What would turn an unknown into an answer."""

    id: str
    blocking: bool
    text: str
    source: str | None = None
    questionnaire: str | None = None
    link_id: str | None = None
    action: str | None = None


class SafetyFinding(Struct, frozen=True):
    """A red flag, contraindication or caution with its urgency and effect.

    `policy` is the id of the policy (or "overlay") that holds the rule, `origins` the documents
    that are its clinical source, `sections` where in them; `suspected` an unconfirmed cause;
    `addressed` dealt with already (G-21), in a what-if by a `supposed` document; `suggests` keys of
    card actions; `asks` ids of the blocking items that would settle it.
    """

    id: str
    urgency: str
    effect: str
    text: str
    source: str
    policy: str
    grade: str = "S"
    suspected: bool = False
    addressed: bool = False
    suggests: tuple[str, ...] = ()
    evidence: tuple[Finding, ...] = ()
    asks: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    supposed: bool = False


class Amount(Struct, frozen=True):
    """A number of visits or of 15-minute units a visit."""

    value: Fraction
    unit: str


class PolicyHead(Struct, frozen=True):
    """What a reader must know of the policy: identity, version, currency.

    `route` says in words where to go when its criteria are not met (G-04c), `route_items` which
    items that takes. `url` is the document's address, where the file names one.
    """

    id: str
    title: str
    short: str
    payer: str
    version: str
    source: str
    draft: bool = False
    review_due: date | None = None
    note: str | None = None
    route: str | None = None
    route_items: tuple[str, ...] = ()
    url: str | None = None


class Evaluation(Struct, frozen=True):
    """The result for one coverage and one group of orders signed together.

    `orders` are "ServiceRequest/id" of the group (or "#position" for an order without id), `facts`
    numbers that words on a card may use (`visits.year`, `order.visits`), `notes` data-quality
    remarks in words. `gap` tells why no policy decided: no-coverage, unread-coverage, no-payer,
    unrouted, not-in-force, code-not-listed; or lapsed: the coverage is not in force. `supposed` are
    the ids that a what-if took as shown and that changed something. `plan` is what tells the
    coverage from another of the same `payer`.
    """

    orders: tuple[str, ...]
    day: date
    coverage: str | None
    policy: PolicyHead | None
    determination: str
    digest: str = ""
    prior_auth: str | None = None
    approvable_now: Amount | None = None
    limits: Mapping[str, Any] | None = None
    review_by: date | None = None
    criteria: tuple[CriterionResult, ...] = ()
    missing: tuple[MissingItem, ...] = ()
    safety: tuple[SafetyFinding, ...] = ()
    unread: tuple[Hole, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fraction] = field(default_factory=dict)
    payer: str | None = None
    plan: str | None = None
    gap: str | None = None
    supposed: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """Return the shape of the design: the response extension, `explain --json`, batch rows."""
        return _shown(self, _evidence)

    def cited(self) -> list[Finding]:
        """Return what its criteria and safety findings rest on, as often as they do."""
        shown = [finding for criterion in self.criteria for finding in criterion.evidence]
        return shown + [finding for flag in self.safety for finding in flag.evidence]


def folded(evaluations: Sequence[Evaluation]) -> Json:
    """Return evaluations as they are kept: `findings` once each, and their places as `evidence`.

    One finding is evidence of many criteria: written out each time they are most of the whole.
    """
    cited = {id(finding): finding for made in evaluations for finding in made.cited()}
    places = {name: place for place, name in enumerate(cited)}

    def placed(findings: Sequence[Finding]) -> list[int]:
        return list(map(places.__getitem__, map(id, findings)))

    return {
        "findings": _evidence([*cited.values()]),
        "evaluations": [_shown(made, placed) for made in evaluations],
    }


def _shown(made: Evaluation, evidence: Evidence) -> Json:
    shown: Json = {
        "order": made.orders[0] if made.orders else None,
        "orders": list(made.orders),
        "date": made.day.isoformat(),
        "digest": made.digest,
        "limits": dict(made.limits) if made.limits else None,
        "reviewBy": made.review_by.isoformat() if made.review_by else None,
        "coverage": made.coverage,
        "policy": made.policy.id if made.policy else None,
        "policyVersion": made.policy.version if made.policy else None,
        "document": made.policy.source if made.policy else None,
        "determination": made.determination,
        "priorAuth": made.prior_auth,
        "approvableNow": _amount(made.approvable_now),
        "criteria": [_criterion(item, evidence) for item in made.criteria],
        "missing": [_missing(item) for item in made.missing],
        "safety": [_safety(item, evidence) for item in made.safety],
        "unread": [{"query": hole.query, "reason": hole.reason} for hole in made.unread],
        "notes": list(made.notes),
    }
    return shown | {"supposed": list(made.supposed)} if made.supposed else shown


def number(value: Fraction) -> int | float:
    """Return a JSON number: whole where it is whole."""
    return int(value) if value.denominator == 1 else float(value)


def _amount(amount: Amount | None) -> Json | None:
    return {"value": number(amount.value), "unit": amount.unit} if amount else None


def _evidence(findings: Sequence[Finding]) -> list[Json]:
    return [
        {
            "reference": item.reference,
            "date": item.date,
            "value": item.value,
            "text": item.text,
            **({"via": item.via} if item.via else {}),
        }
        for item in findings
    ]


def _criterion(item: CriterionResult, evidence: Evidence) -> Json:
    shown: Json = {
        "id": item.id,
        "status": item.status.value,
        "text": item.text,
        "because": item.because,
        "source": item.source,
        "sections": list(item.sections),
        "parent": item.parent,
        "operator": item.operator,
        "counts": item.counts,
        "parameters": [_parameter(used) for used in item.parameters],
        "wouldChange": list(item.would_change),
        "evidence": evidence(item.evidence),
    }
    return shown | {"supposed": True} if item.supposed else shown


def _parameter(used: Parameter) -> Json:
    return {
        "id": used.id,
        "value": number(used.value),
        "unit": used.unit,
        "source": used.source,
        "configured": used.configured,
    }


def _missing(item: MissingItem) -> Json:
    return {
        "id": item.id,
        "blocking": item.blocking,
        "text": item.text,
        "questionnaire": item.questionnaire,
        "linkId": item.link_id,
        "action": item.action,
    }


def _safety(item: SafetyFinding, evidence: Evidence) -> Json:
    shown: Json = {
        "id": item.id,
        "urgency": item.urgency,
        "effect": item.effect,
        "text": item.text,
        "source": item.source,
        "sections": list(item.sections),
        "suspected": item.suspected,
        "addressed": item.addressed,
        "evidence": evidence(item.evidence),
    }
    return shown | {"supposed": True} if item.supposed else shown
