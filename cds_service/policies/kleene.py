"""Kleene's logic over answers: not-applicable takes no part (G-01)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.context import Context, Leaf
from cds_service.record.model import Hole


def all_status(statuses: Iterable[Status]) -> Status:
    """All must be met."""
    return _fold(statuses, Status.NOT_MET, Status.MET)


def any_status(statuses: Iterable[Status]) -> Status:
    """One must be met."""
    return _fold(statuses, Status.MET, Status.NOT_MET)


def _fold(statuses: Iterable[Status], decisive: Status, otherwise: Status) -> Status:
    present = set(statuses) - {Status.NA}
    if decisive in present:
        return decisive
    if Status.UNKNOWN in present:
        return Status.UNKNOWN
    return otherwise if present else Status.NA


def at_least_status(statuses: Iterable[Status], count: int) -> Status:
    """At least `count` must be met."""
    listed = list(statuses)
    met = listed.count(Status.MET)
    if met >= count:
        return Status.MET
    return Status.UNKNOWN if met + listed.count(Status.UNKNOWN) >= count else Status.NOT_MET


def all_of(parts: Sequence[Leaf]) -> Leaf:
    """Combine leaves: met when all are, not met as soon as one is not."""

    def ask(context: Context) -> Answer:
        return _until(parts, context, Status.NOT_MET, all_status)

    return ask


def any_of(parts: Sequence[Leaf]) -> Leaf:
    """Combine leaves: met as soon as one is."""

    def ask(context: Context) -> Answer:
        return _until(parts, context, Status.MET, any_status)

    return ask


def at_least(parts: Sequence[Leaf], count: int) -> Leaf:
    """Combine leaves: met when at least `count` are."""

    def ask(context: Context) -> Answer:
        answers = [part(context) for part in parts]
        return _gather(answers, at_least_status((a.status for a in answers), count))

    return ask


def opposite(part: Leaf) -> Leaf:
    """Negate: unknown stays unknown."""

    def ask(context: Context) -> Answer:
        answer = part(context)
        return Answer(answer.status.opposite, answer.findings, answer.holes)

    return ask


def _until(
    parts: Sequence[Leaf],
    context: Context,
    decisive: Status,
    fold: Callable[[Iterable[Status]], Status],
) -> Answer:
    answers: list[Answer] = []
    for part in parts:
        answer = part(context)
        if answer.status is decisive:
            return answer
        answers.append(answer)
    return _gather(answers, fold(answer.status for answer in answers))


def _gather(answers: Sequence[Answer], status: Status) -> Answer:
    """Keep what bears on the result: for unknown, what is open; else what agrees, and no hole."""
    if status is not Status.UNKNOWN:
        bearing = [a for a in answers if a.status is status] or answers
        return Answer(status, united([a.findings for a in bearing]))
    bearing = [a for a in answers if a.status is Status.UNKNOWN or a.status is Status.MET]
    holes = [h for a in answers if a.holes and a.status is Status.UNKNOWN for h in a.holes]
    return Answer(status, united([a.findings for a in bearing]), unique(holes))


def united(several: Iterable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Return the findings of several answers, each once."""
    telling = [findings for findings in several if findings]
    return distinct(chain.from_iterable(telling)) if telling else ()


def distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Drop findings that say the same of the same resource, keeping the order."""
    kept: dict[tuple[str, str | None, str | None], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.reference, finding.date, finding.value), finding)
    return tuple(kept.values())


def unique(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """Drop repeated holes, keeping the order."""
    return tuple(dict.fromkeys(holes)) if holes else ()
