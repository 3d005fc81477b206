"""The decision core: a case in, evaluations out. No web, no network, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from fractions import Fraction
from typing import Any

import orjson
from msgspec.structs import replace

from cds_service.evaluation import Evaluation, MissingItem
from cds_service.evidence.context import Context, Facts
from cds_service.evidence.coverage import CoverageFact, coverages_of
from cds_service.evidence.notes import notes_of
from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.quantities import QUANTITIES
from cds_service.policies.library import PolicyLibrary
from cds_service.policies.policy import Policy, Verdict
from cds_service.policies.routing import PayerEntry, routed, taken_as
from cds_service.record.model import Hole, PatientRecord, Resource
from cds_service.terminology import Dialect, Terminology

SHOWN_FACTS = (
    "visits.year",
    "visits.episode",
    "order.visits",
    "order.units-per-visit",
    "episode.day",
)
ALWAYS_READ = ("patient", "coverage")
NO_COVERAGE = MissingItem(
    "G-16", True, "An active coverage of the patient", "G-16", action="verify-coverage"
)
NO_PAYER = replace(NO_COVERAGE, text="Who pays under the coverage on file")


@dataclass(frozen=True)
class Rules:
    """What a site decides by: policies, the table of payers, codes, the time zone.

    `taken_as` is the row of the table that every coverage is taken for, in a comparison.
    """

    library: PolicyLibrary
    payers: Sequence[PayerEntry]
    terminology: Terminology
    zone: tzinfo
    taken_as: PayerEntry | None = None


@dataclass(frozen=True)
class Case:
    """What is reviewed.

    `orders` are all draft orders signed together, as received; `record` what is known of the
    patient, with its holes; `day` the day the orders count on. `acknowledged` are safety findings
    answered "evaluated, not present", each with the day of the answer: newer evidence opens it
    again. `notes` are remarks on how the case came about. `selected` names the orders to be judged
    ("ServiceRequest/id", "#position"), with the others as context; None: all. `supposed` are ids of
    criteria and missing items that a what-if takes as shown; an answer that is given has none.
    """

    orders: Sequence[Resource]
    record: PatientRecord
    day: date
    acknowledged: Mapping[str, date] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    selected: frozenset[str] | None = None
    supposed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Payer:
    """A coverage with the policy it leads to (None: none was routed) and the payer's name."""

    coverage: CoverageFact | None
    policy: Policy | None
    name: str | None
    notes: tuple[str, ...] = ()
    routed: bool = False

    @property
    def in_force(self) -> bool:
        """Whether the coverage is active and not known to lie outside its period."""
        return self.coverage is None or self.coverage.may_pay


def facts_of(case: Case, rules: Rules) -> Facts:
    """Return the facts of a case's record on its day."""
    numbers = {name: use.value for name, use in rules.library.shared.items()}
    return Facts(case.record, case.orders, case.day, rules.zone, rules.terminology, numbers)


def group_of(case: Case, rules: Rules) -> OrderGroup:
    """Return the orders of a case that are in scope and to be judged."""
    return _group(case, facts_of(case, rules))


def _group(case: Case, facts: Facts) -> OrderGroup:
    group = OrderGroup.of(facts)
    return group if case.selected is None else group.named(case.selected)


def payers_of(case: Case, group: OrderGroup, rules: Rules) -> list[Payer]:
    """Return the coverages that answer for a group of orders, each with its policy."""
    orders = [order.resource for order in group.orders]
    found = coverages_of(case.record, orders, case.day, rules.zone)
    return [payer_of(coverage, case.day, rules) for coverage in found]


def payer_of(coverage: CoverageFact, day: date, rules: Rules) -> Payer:
    """Return who answers for a coverage, with the policy in force on a day."""
    row = rules.taken_as
    told, route = taken_as(coverage, row) if row else routed(coverage, rules.payers)
    names = [name for payor in told.payors for name in payor.names]
    policy = rules.library.policy(route.policy, day)
    return Payer(
        told, policy, next(iter(names), None), _dating(policy, day), route.policy is not None
    )


def _dating(policy: Policy | None, day: date) -> tuple[str, ...]:
    if policy is None or policy.start <= day:
        return ()
    return (f"{policy.head.title} took effect on {policy.start}; the order is dated before that.",)


def review(
    case: Case,
    rules: Rules,
    payers: Sequence[Payer] | None = None,
    group: OrderGroup | None = None,
) -> list[Evaluation]:
    """Return one Evaluation for each (coverage, group of orders signed together).

    `payers` are those to ask; None: those that the coverages lead to. `group` is that of the case,
    where it is known already.
    """
    facts = facts_of(case, rules)
    group = group or _group(case, facts)
    if not group.orders:
        return []
    if payers is None:
        payers = payers_of(case, group, rules) or [_nobody(case.day, rules)]
    made = [one for payer in payers for one in _under(facts, group, payer, case, rules)]
    facts.forget()
    return made


def _nobody(day: date, rules: Rules) -> Payer:
    """Return who pays where no coverage says so."""
    row = rules.taken_as
    return Payer(None, rules.library.policy(row.policy, day) if row else None, None)


def _under(
    facts: Facts, group: OrderGroup, payer: Payer, case: Case, rules: Rules
) -> Iterable[Evaluation]:
    billed = group.under(payer.coverage.reference if payer.coverage else None)
    if billed.orders:
        yield _evaluate(facts, billed, payer, case, rules)


def _evaluate(
    facts: Facts, group: OrderGroup, payer: Payer, case: Case, rules: Rules
) -> Evaluation:
    policy = payer.policy
    covered = group.of_codes(policy.codes) if policy else group
    judge = policy if policy and covered.orders else rules.library.unrouted
    asked = covered if covered.orders else group
    context = Context(facts, asked, payer.coverage, judge.numbers, case.acknowledged, case.supposed)
    verdict = judge.evaluate(context)
    made = Evaluation(
        orders=asked.references,
        day=case.day,
        coverage=payer.coverage.reference if payer.coverage else None,
        policy=policy.head if policy else None,
        determination=verdict.determination,
        safety=verdict.safety,
        unread=_unread(case.record, judge, rules.terminology.site),
        payer=payer.name,
        plan=payer.coverage.called if payer.coverage else None,
        supposed=(*verdict.supposed, *_supposed_in_force(payer, case)),
        facts=_numbers(context),
    )
    made = _answered(made, verdict, payer, judge) if judge is policy else _unanswered(made, payer)
    cited = {finding.reference for finding in made.cited()}
    notes = (*case.notes, *payer.notes, *asked.notes, *notes_of(context, cited))
    context.memo.clear()
    signed = digest(made, [order.resource for order in asked.orders])
    return replace(made, notes=notes, digest=signed)


def _answered(made: Evaluation, verdict: Verdict, payer: Payer, policy: Policy) -> Evaluation:
    """Take over the verdict; what a lapsed coverage would pay is a question (G-16)."""
    answered = replace(
        made,
        prior_auth=verdict.prior_auth,
        approvable_now=verdict.approvable_now,
        limits=policy.limits,
        criteria=verdict.criteria,
        missing=verdict.missing,
    )
    in_force = payer.in_force or NO_COVERAGE.id in made.supposed
    if in_force or verdict.determination == "not-covered":
        return answered
    missing = (_lapsed(payer, made.day), *verdict.missing)
    return replace(answered, determination="conditional", missing=missing, gap="lapsed")


def _supposed_in_force(payer: Payer, case: Case) -> tuple[str, ...]:
    asked = payer.policy and not payer.in_force and NO_COVERAGE.id in case.supposed
    return (NO_COVERAGE.id,) if asked else ()


def _lapsed(payer: Payer, day: date) -> MissingItem:
    coverage = payer.coverage
    status = coverage.status if coverage and not coverage.active else None
    known = ", ".join(filter(None, [status, coverage.dates if coverage else None]))
    told = f" (this one: {known})" if known else ""
    return replace(NO_COVERAGE, text=f"A coverage in force on {day}{told}")


def _unanswered(made: Evaluation, payer: Payer) -> Evaluation:
    """No policy speaks: safety alone was looked at. Without a readable coverage, ask for one.

    A payer whom nobody could read may have a policy, which is no word that none speaks.
    """
    if payer.coverage is not None and payer.coverage.read:
        if payer.routed or payer.coverage.tells_who_pays:
            return replace(made, determination="not-applicable", gap=_gap(payer))
        return replace(made, determination="conditional", missing=(NO_PAYER,), gap="no-payer")
    hole = any(hole.key == "coverage" for hole in made.unread)
    missing = () if hole else (NO_COVERAGE,)
    gap = "unread-coverage" if hole or payer.coverage is not None else "no-coverage"
    return replace(made, determination="conditional", missing=missing, gap=gap)


def _gap(payer: Payer) -> str:
    if payer.policy:
        return "code-not-listed"
    return "not-in-force" if payer.routed else "unrouted"


def _unread(record: PatientRecord, policy: Policy, site: Dialect | None) -> tuple[Hole, ...]:
    keys = [*ALWAYS_READ, *sorted(policy.keys - set(ALWAYS_READ)), "references"]
    return tuple(dict.fromkeys(record.holes_of(site.also_read(keys) if site else keys)))


def _numbers(context: Context) -> Mapping[str, Fraction]:
    found = {name: QUANTITIES[name].of(context).value for name in SHOWN_FACTS}
    return {name: value for name, value in found.items() if value is not None}


def digest(evaluation: Evaluation, orders: Iterable[Resource]) -> str:
    """Return the SHA-256 of the facts of an evaluation; the day it was made does not count."""
    head = evaluation.policy
    content = {
        "policy": [head.id, head.version] if head else None,
        "coverage": evaluation.coverage,
        "orders": [_plain(_ordered(order)) for order in orders],
        "determination": evaluation.determination,
        "criteria": sorted([item.id, item.status.value] for item in evaluation.criteria),
        "missing": sorted([item.id, item.blocking] for item in evaluation.missing),
        "safety": sorted([item.id, item.urgency, item.effect] for item in evaluation.safety),
    }
    if evaluation.supposed:
        content["supposed"] = sorted(evaluation.supposed)
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _ordered(order: Resource) -> Resource:
    """Return what an order says, not where it stands: to sign and to send it changes no facts."""
    return {name: value for name, value in order.items() if name != "status"}


def _plain(node: Any) -> Any:
    """Return order content without extensions: an answer carried back changes no digest."""
    if isinstance(node, dict):
        return {k: _plain(v) for k, v in node.items() if k not in ("extension", "meta", "text")}
    return [_plain(item) for item in node] if isinstance(node, list) else node
