"""Criteria as compiled: decisions by rows, groups by Kleene's logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence.answer import YES, Answer, Finding, Status
from cds_service.evidence.context import Context, Leaf
from cds_service.evidence.quantities import Quantity
from cds_service.policies.kleene import (
    all_status,
    any_status,
    at_least_status,
    distinct,
    unique,
    united,
)
from cds_service.record.model import Hole
from cds_service.terminology import Parameter

AmountOf = Callable[[Context], Quantity]


class Outcome(Struct, frozen=True):
    """What a criterion came to in one evaluation.

    `status` is what is listed. `weight` is what it counts as: a dose limit of which a part is
    supportable is listed not-met and counts as unknown (G-25). `asks` are blocking items,
    `advises` advisory ones, `supports` the part that could be supported (unit, number), `supposed`
    what was taken as shown for a what-if.
    """

    status: Status
    weight: Status
    findings: tuple[Finding, ...] = ()
    holes: tuple[Hole, ...] = ()
    asks: tuple[str, ...] = ()
    advises: tuple[str, ...] = ()
    because: str | None = None
    change: str | None = None
    supports: tuple[str, Fraction] | None = None
    supposed: tuple[str, ...] = ()


NOT_APPLICABLE = Outcome(Status.NA, Status.NA)


class Row(Struct, frozen=True):
    """One row of a decision: when its answer is met, the criterion is `status`.

    A `guard` only tells whether to ask: what it found is no evidence for the criterion.
    """

    when: Leaf | None
    status: Status
    asks: tuple[str, ...] = ()
    advises: tuple[str, ...] = ()
    because: str | None = None
    change: str | None = None
    supports: tuple[str, AmountOf] | None = None
    conditional: bool = False
    aside: bool = False
    guard: bool = False

    @property
    def weight(self) -> Status:
        """What the row counts as, where a part of a dose can still be supported (G-25)."""
        if self.aside:
            return Status.NA
        lenient = self.conditional or self.supports is not None
        return Status.UNKNOWN if lenient and self.status is Status.NOT_MET else self.status

    def evidence(self, answer: Answer) -> tuple[Finding, ...]:
        """Return what speaks for or against the criterion in this row's answer."""
        return () if self.guard else answer.findings


class Body(Protocol):
    """How a criterion is decided."""

    def __call__(self, context: Context, outcome_of: Callable[[str], Outcome]) -> Outcome:
        """Return the outcome; `outcome_of` gives that of another criterion."""
        ...


@dataclass(frozen=True)
class Decision:
    """Rows in order; the first that is met decides, and a row nobody can answer is carried.

    `optional` is a document that is only advised where its last row is reached: whether it is
    there then weighs nothing.
    """

    rows: tuple[Row, ...]
    unsure: tuple[str, ...] = ()
    optional: bool = False

    def __call__(self, context: Context, outcome_of: Callable[[str], Outcome]) -> Outcome:
        """Return the outcome of the first row that fits, unless an open row could change it."""
        open_rows: list[tuple[Row, Answer]] = []
        against: list[Finding] = []
        for row in self.rows:
            answer = row.when(context) if row.when else YES
            if answer.status is Status.MET:
                settled = _evidenced(_settle(row, answer, context), against, context)
                return self._with_open(settled, open_rows) if open_rows else settled
            if answer.status is Status.UNKNOWN:
                open_rows.append((row, answer))
            else:
                against.extend(answer.findings)
        raise AssertionError("a decision ends with an else row")

    def _with_open(self, settled: Outcome, open_rows: Sequence[tuple[Row, Answer]]) -> Outcome:
        """Combine with rows that could have decided first, had we known (supervaluation)."""
        findings = distinct(
            [f for row, answer in open_rows for f in row.evidence(answer)] + list(settled.findings)
        )
        holes = unique(h for _, answer in open_rows for h in answer.holes)
        if self.optional and settled.status is Status.NA and _only_met(open_rows):
            advises = () if holes else settled.advises
            return Outcome(Status.UNKNOWN, Status.NA, findings, holes, advises=advises)
        same = all(row.status is settled.status for row, _ in open_rows)
        if same and settled.status is not Status.UNKNOWN:
            weights = {settled.weight, *(row.weight for row, _ in open_rows)}
            return _alike(replace(settled, findings=findings), weights, holes)
        if same and settled.weight is Status.NA and all(row.aside for row, _ in open_rows):
            return replace(settled, findings=findings, holes=holes)
        if settled.status is Status.UNKNOWN and settled.weight is Status.NA and not holes:
            return replace(settled, findings=findings)
        asks = () if holes else tuple(dict.fromkeys(self.unsure + settled.asks))
        return Outcome(
            Status.UNKNOWN,
            Status.UNKNOWN,
            findings,
            unique((*holes, *settled.holes)),
            asks=asks,
            advises=settled.advises,
            because=settled.because if settled.status is Status.UNKNOWN and not holes else None,
            change=settled.change,
        )


def _alike(settled: Outcome, weights: set[Status], holes: tuple[Hole, ...]) -> Outcome:
    """Return what is listed alike whichever row decides; a hole asks for nothing."""
    if settled.status is not Status.NOT_MET:
        return settled
    weight = settled.weight if len(weights) == 1 else Status.UNKNOWN
    asks = () if holes else settled.asks
    return replace(settled, weight=weight, asks=asks, holes=unique((*holes, *settled.holes)))


def _only_met(open_rows: Sequence[tuple[Row, Answer]]) -> bool:
    return all(row.status is Status.MET for row, _ in open_rows)


def _evidenced(outcome: Outcome, against: Sequence[Finding], context: Context) -> Outcome:
    """Let what is decided by default cite what was looked at instead, or else the orders."""
    if outcome.status not in (Status.MET, Status.NOT_MET) or outcome.findings:
        return outcome
    return replace(outcome, findings=distinct(against) or _orders(context))


def _orders(context: Context) -> tuple[Finding, ...]:
    orders = context.group.orders if context.group else ()
    return tuple(one.finding(", ".join(sorted(one.codes)) or None, "Order") for one in orders)


def _settle(row: Row, answer: Answer, context: Context) -> Outcome:
    outcome = Outcome(
        row.status,
        row.status,
        distinct(row.evidence(answer)),
        asks=row.asks,
        advises=row.advises,
        because=row.because,
        change=row.change,
    )
    if row.supports:
        outcome = _limited(outcome, row.supports, context)
    if row.aside:
        return replace(outcome, weight=Status.NA)
    if row.conditional and outcome.weight is Status.NOT_MET:
        return replace(outcome, weight=Status.UNKNOWN)
    return outcome


def _limited(outcome: Outcome, supports: tuple[str, AmountOf], context: Context) -> Outcome:
    """Apply a dose limit: the part that fits is supportable now (G-25)."""
    unit, amount_of = supports
    amount = amount_of(context)
    if amount.value is None or amount.holes:
        return replace(outcome, weight=Status.UNKNOWN, holes=amount.holes)
    part = Fraction(max(floor(amount.value), 0))
    weight = Status.UNKNOWN if part > 0 else outcome.weight
    return replace(outcome, weight=weight, supports=(unit, part))


@dataclass(frozen=True)
class Group:
    """Criteria under one operator: all, any or at-least."""

    operator: str
    members: tuple[str, ...]
    count: int = 0

    def __call__(self, context: Context, outcome_of: Callable[[str], Outcome]) -> Outcome:
        """Return the operator's result over the weights of the members, with what decided it."""
        outcomes = [outcome_of(member) for member in self.members]
        status = self._fold([outcome.weight for outcome in outcomes])
        if status not in (Status.MET, Status.NOT_MET):
            return Outcome(status, status)
        agreeing = [outcome.findings for outcome in outcomes if outcome.weight is status]
        return Outcome(status, status, united(agreeing))

    def _fold(self, weights: Sequence[Status]) -> Status:
        if self.operator == "all":
            return all_status(weights)
        if self.operator == "any":
            return any_status(weights)
        return at_least_status(weights, self.count)


@dataclass(frozen=True)
class Guarded:
    """A criterion that applies only under a condition."""

    applies: Leaf
    body: Body

    def __call__(self, context: Context, outcome_of: Callable[[str], Outcome]) -> Outcome:
        """Return not-applicable where the condition is not met; unknown caps the result."""
        answer = self.applies(context)
        if answer.status in (Status.NOT_MET, Status.NA):
            return NOT_APPLICABLE
        outcome = self.body(context, outcome_of)
        if answer.status is Status.MET or outcome.status in (Status.MET, Status.NA):
            return outcome
        return Outcome(
            Status.UNKNOWN,
            Status.UNKNOWN,
            distinct(answer.findings + outcome.findings),
            unique(answer.holes + outcome.holes),
            asks=() if answer.holes else outcome.asks,
            advises=outcome.advises,
        )


@dataclass(frozen=True)
class Definite:
    """A criterion of which only a definite answer counts, such as an exclusion (G-02).

    What cannot be decided is listed and left out of the result, unless data could not be read.
    """

    body: Body

    def __call__(self, context: Context, outcome_of: Callable[[str], Outcome]) -> Outcome:
        """Return the outcome; undecided by the record, it weighs nothing and asks nothing."""
        outcome = self.body(context, outcome_of)
        if outcome.weight is not Status.UNKNOWN or outcome.holes or outcome.supports:
            return outcome
        if outcome.status is not Status.UNKNOWN:
            return outcome
        return replace(
            outcome, weight=Status.NA, asks=(), advises=(*outcome.asks, *outcome.advises)
        )


@dataclass(frozen=True)
class Criterion:
    """A rule of the policy as compiled: its words, its body, and what hangs on it."""

    id: str
    text: str
    source: str
    body: Body
    group: Group | None = None
    parent: str | None = None
    counts: bool = False
    parameters: tuple[Parameter, ...] = ()
    sections: tuple[str, ...] = ()
    derived: bool = False
    keys: frozenset[str] = field(default=frozenset())
