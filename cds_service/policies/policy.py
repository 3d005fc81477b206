"""A compiled policy and its verdict on one question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from cds_service.evaluation import (
    Amount,
    CriterionResult,
    MissingItem,
    PolicyHead,
    SafetyFinding,
    number,
)
from cds_service.evidence.answer import Status
from cds_service.evidence.context import Context, Leaf
from cds_service.evidence.quantities import QUANTITIES, figure
from cds_service.policies.criteria import Criterion, Group, Outcome
from cds_service.policies.expressions import RUN, Running
from cds_service.policies.kleene import distinct, unique
from cds_service.policies.safety import Overlay, Raised, SafetyRule, raise_rule
from cds_service.policies.supposing import documented, supposing
from cds_service.policies.targets import Target
from cds_service.terminology import Parameter

_INSERT = re.compile(r"\{([a-z]+\.[a-z-]+|\$[a-z0-9-]+)\}")


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be missing, in words, with the click that adds it."""

    id: str
    text: str
    source: str
    action: str | None = None
    questionnaire: str | None = None
    link_id: str | None = None

    def missing(self, blocking: bool) -> MissingItem:
        """Return the item as missing."""
        return MissingItem(
            self.id,
            blocking,
            self.text,
            self.source,
            self.questionnaire,
            self.link_id,
            self.action,
        )


@dataclass(frozen=True)
class Verdict:
    """What a policy says of one question."""

    determination: str
    prior_auth: str | None
    approvable_now: Amount | None
    criteria: tuple[CriterionResult, ...]
    missing: tuple[MissingItem, ...]
    safety: tuple[SafetyFinding, ...]
    supposed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A policy file as compiled; `keys` are the query keys its rules read."""

    head: PolicyHead
    start: date
    end: date | None
    codes: frozenset[str]
    root: str
    criteria: Mapping[str, Criterion]
    items: Mapping[str, Item]
    safety: tuple[SafetyRule, ...]
    overlay: Overlay | None
    prior_auth: tuple[tuple[Leaf | None, str], ...]
    limits: Mapping[str, Any] | None
    route: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    keys: frozenset[str]
    targets: tuple[Target, ...] = ()
    numbers: Mapping[str, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = {name: use.value for name, use in self.parameters.items()}
        object.__setattr__(self, "numbers", values)

    def in_force(self, day: date) -> bool:
        """Whether this version governs an order of that day."""
        return self.start <= day and (self.end is None or day <= self.end)

    def evaluate(self, context: Context) -> Verdict:
        """Return the verdict; the context is used for this evaluation alone."""
        return _Run(self, context).verdict()


class _Run(Running):
    """One evaluation: criteria and safety rules, each decided at most once."""

    def __init__(self, policy: Policy, context: Context) -> None:
        self.policy = policy
        self.context = context
        self.outcomes: dict[str, Outcome] = {}
        self._raised: list[Raised] | None = None
        context.memo[RUN] = self

    def outcome(self, criterion: str) -> Outcome:
        """Return the outcome of a criterion, decided once."""
        made = self.outcomes.get(criterion)
        if made is None:
            rule = self.policy.criteria[criterion]
            made = rule.body(self.context, self.outcome)
            if self.context.supposed:
                made = supposing(made, rule, self.context.supposed)
            self.outcomes[criterion] = made
        return made

    def raised(self) -> list[Raised]:
        """Return what the policy's safety rules and the overlay raised, or could not look for."""
        if self._raised is None:
            own = {rule.id: raise_rule(rule, self.context) for rule in self.policy.safety}
            overlay = self.policy.overlay
            shared = overlay.raise_all(self.context, own) if overlay else []
            found = [one for one in (*own.values(), *shared) if one.judged or one.holes]
            supposed = self.context.supposed
            self._raised = [documented(one, supposed) for one in found] if supposed else found
        return self._raised

    def verdict(self) -> Verdict:
        """Put criteria, missing items and safety together (G-02)."""
        for name in self.policy.criteria:
            self.outcome(name)
        determination = self._determination()
        return Verdict(
            determination=determination,
            prior_auth=self._prior_auth(),
            approvable_now=self._approvable(determination),
            criteria=tuple(self._results()),
            missing=tuple(self._missing(determination)),
            safety=tuple(self._finding(raised) for raised in self.raised() if raised.judged),
            supposed=self._supposed(),
        )

    def _supposed(self) -> tuple[str, ...]:
        """Return what of the what-if changed a criterion or a finding."""
        if not self.context.supposed:
            return ()
        found = [one.supposed for one in self.outcomes.values()]
        found += [item.supposed for raised in self.raised() for item in raised.judged]
        return tuple(dict.fromkeys(name for used in found for name in used))

    def _determination(self) -> str:
        effects = {raised.effect for raised in self.raised() if raised.judged}
        root = self.outcome(self.policy.root).weight
        if "stop" in effects or root is Status.NOT_MET:
            return "not-covered"
        open_question = root is not Status.MET or "hold" in effects
        if open_question or self._unread_safety() or any(self._blocking()):
            return "conditional"
        return "covered"

    def _unread_safety(self) -> list[Raised]:
        """Return safety rules that could decide and whose data could not be read."""
        return [raised for raised in self.raised() if raised.holes and raised.rule.matters]

    def _prior_auth(self) -> str | None:
        for when, value in self.policy.prior_auth:
            if when is None or when(self.context).status is Status.MET:
                return value
        return None

    def _approvable(self, determination: str) -> Amount | None:
        """Return the smallest part that every exceeded limit supports."""
        if determination != "conditional":
            return None
        parts = [
            outcome.supports
            for name, outcome in self.outcomes.items()
            if outcome.supports and self.policy.criteria[name].counts
        ]
        if not parts:
            return None
        unit = "units" if any(part[0] == "units" for part in parts) else "visits"
        return Amount(min(value for kind, value in parts if kind == unit), unit)

    def _results(self) -> Iterator[CriterionResult]:
        for name, criterion in self.policy.criteria.items():
            yield self._result(criterion, self.outcomes[name])
        yield from self._safety_results()

    def _result(self, criterion: Criterion, outcome: Outcome) -> CriterionResult:
        return CriterionResult(
            id=criterion.id,
            status=outcome.status,
            text=self._filled(criterion.text) or "",
            source=criterion.source,
            parent=criterion.parent,
            operator=criterion.group.operator if criterion.group else None,
            because=self._filled(outcome.because),
            counts=criterion.counts,
            parameters=criterion.parameters,
            would_change=self._would_change(outcome),
            evidence=outcome.findings,
            holes=outcome.holes,
            sections=criterion.sections,
            derived=criterion.derived,
            members=criterion.group.members if criterion.group else (),
            asks=outcome.asks,
            aside=outcome.weight is Status.NA and outcome.status is not Status.NA,
            supposed=bool(outcome.supposed),
        )

    def _would_change(self, outcome: Outcome) -> tuple[str, ...]:
        if not outcome.change and not outcome.asks:
            return ()
        change = self._filled(outcome.change)
        asked = [self.policy.items[name].text for name in outcome.asks]
        return tuple(([change] if change else []) + asked)

    def _safety_results(self) -> Iterator[CriterionResult]:
        """List a contraindication that applies, or could not be looked for, as a criterion.

        Several rules may stand for one criterion: it is listed once, with all that applies.
        """
        applying: dict[str, list[Raised]] = {}
        unread: dict[str, list[Raised]] = {}
        for raised in self.raised():
            name = raised.rule.criterion or raised.rule.id
            if raised.judged and raised.effect == "stop" and raised.rule.criterion:
                applying.setdefault(name, []).append(raised)
            elif raised.holes and raised.rule.matters:
                unread.setdefault(name, []).append(raised)
        for name in {**applying, **unread}:
            status = Status.NOT_MET if name in applying else Status.UNKNOWN
            yield self._safety_result(name, status, applying.get(name) or unread[name])

    def _safety_result(self, name: str, status: Status, found: Sequence[Raised]) -> CriterionResult:
        rules = [raised.rule for raised in found]
        texts = [self._filled(rule.text) or "" for rule in rules]
        return CriterionResult(
            id=name,
            status=status,
            text="; ".join(dict.fromkeys(texts)),
            source="; ".join(dict.fromkeys(rule.source for rule in rules)),
            evidence=distinct(j.sighting.finding for raised in found for j in raised.judged),
            holes=unique(hole for raised in found for hole in raised.holes),
            sections=tuple(dict.fromkeys(one for rule in rules for one in rule.sections)),
        )

    def _finding(self, raised: Raised) -> SafetyFinding:
        finding = raised.finding()
        return replace(finding, text=self._filled(finding.text) or "")

    def _missing(self, determination: str) -> Iterator[MissingItem]:
        blocking = dict.fromkeys(self._blocking())
        advisory = dict.fromkeys(self._advisory(determination))
        for name in blocking:
            yield self.policy.items[name].missing(True)
        for name in advisory:
            if name not in blocking:
                yield self.policy.items[name].missing(False)

    def _blocking(self) -> Iterator[str]:
        for name in self._bearing(self.policy.root):
            yield from self.outcomes[name].asks
        for raised in self.raised():
            for item in raised.judged:
                yield from item.asks

    def _bearing(self, name: str) -> Iterator[str]:
        """Yield the criteria below that keep a group from being met."""
        if self.outcomes[name].weight in (Status.MET, Status.NA):
            return
        yield name
        group = self.policy.criteria[name].group
        if group:
            for member in self._unread(group) or group.members:
                yield from self._bearing(member)

    def _unread(self, group: Group) -> list[str]:
        """Return the alternatives that only unread data keep open: nothing is asked beside them."""
        return [m for m in group.members if group.operator == "any" and self._only_unread(m)]

    def _only_unread(self, name: str) -> bool:
        open_ones = [self.outcomes[one] for one in self._bearing(name)]
        unknown = self.outcomes[name].weight is Status.UNKNOWN
        asked = any(outcome.asks for outcome in open_ones)
        return unknown and not asked and any(outcome.holes for outcome in open_ones)

    def _advisory(self, determination: str) -> Iterator[str]:
        for name in self._heard(self.policy.root):
            yield from self.outcomes[name].advises
        for name, criterion in self.policy.criteria.items():
            if not criterion.counts:
                yield from self.outcomes[name].advises
                yield from self.outcomes[name].asks
        for raised in self.raised():
            for item in raised.judged:
                yield from item.advises
        if determination == "not-covered":
            yield from self.policy.route

    def _heard(self, name: str) -> Iterator[str]:
        """Yield the criteria whose advice matters: not those of a branch that is not taken."""
        yield name
        group = self.policy.criteria[name].group
        if group is None:
            return
        taken = group.members if group.operator != "any" else self._met(group)
        for member in taken or group.members:
            yield from self._heard(member)

    def _met(self, group: Group) -> list[str]:
        return [m for m in group.members if self.outcomes[m].weight is Status.MET]

    def _filled(self, text: str | None) -> str | None:
        """Insert quantities and parameters into the policy's words."""
        if not text or "{" not in text:
            return text
        return _INSERT.sub(lambda match: self._number(match.group(1)), text)

    def _number(self, name: str) -> str:
        if name.startswith("$"):
            return f"{number(self.policy.numbers[name[1:]]):g}"
        found = QUANTITIES[name].of(self.context)
        if found.value is not None:
            return figure(found.value)
        if found.low is None or found.high is None or found.holes:
            return "an unstated number of"
        return f"{figure(found.low)} to {figure(found.high)}"
