"""What an evaluation comes to for a payer: a row of `states` in the table."""

from __future__ import annotations

from dataclasses import dataclass

from cards.tree import Tree
from cds_service.crd.table import TABLE, Json
from cds_service.evaluation import CriterionResult, Evaluation
from cds_service.evidence.answer import Status

_UNROUTED = ("unrouted", "not-in-force")


@dataclass(frozen=True)
class Assertion:
    """What is said of some orders under one coverage.

    `state` is a key of `states`; `codes` are those of the policy; `valid_until` is the last day on
    which it can hold, where that is known.
    """

    evaluation: Evaluation
    state: str
    codes: frozenset[str] = frozenset()
    valid_until: str | None = None

    @property
    def row(self) -> Json:
        """The row of the table."""
        row: Json = TABLE["states"][self.state]
        return row


@dataclass(frozen=True)
class Circumstances:
    """What decides beside the evaluation itself.

    `member` tells whether the Patient could be resolved, `in_force` whether the coverage is,
    `readable` whether it could be told who pays; `modified` whether an order may mean something
    else than it says; `without_safety` is the determination when no safety rule is asked, None
    where it was not looked for.
    """

    member: bool = True
    in_force: bool = True
    readable: bool = True
    modified: bool = False
    without_safety: str | None = None


def state_of(evaluation: Evaluation, around: Circumstances) -> str:
    """Return the state: the first row of the table that fits."""
    stopped = around.without_safety not in (None, "not-covered")
    fits = {
        "no-member-found": not around.member,
        "no-active-coverage": not around.in_force,
        "payer-unread": not around.readable,
        "unrouted": _unrouted(evaluation),
        "modified": around.modified,
        "no-code": evaluation.gap == "no-code",
        "code-not-listed": evaluation.gap == "code-not-listed",
        "stopped": evaluation.determination == "not-covered" and stopped,
        "unread": _hole_decides(evaluation),
        evaluation.determination: True,
    }
    return next(str(state) for state in TABLE["states"] if fits.get(state))


def is_stopped(evaluation: Evaluation) -> bool:
    """Whether a safety finding stops it, so that it matters what it is without."""
    stops = any(finding.effect == "stop" for finding in evaluation.safety)
    return evaluation.determination == "not-covered" and stops


def _unrouted(evaluation: Evaluation) -> bool:
    return evaluation.policy is None or evaluation.gap in _UNROUTED


def _hole_decides(evaluation: Evaluation) -> bool:
    """Whether nothing but data that could not be read keeps the result open."""
    if evaluation.determination != "conditional" or not evaluation.unread:
        return False
    open_ones = undecided(evaluation)
    asked = {name for item in open_ones for name in item.asks}
    others = [item for item in evaluation.missing if item.blocking and item.id not in asked]
    waits = any(finding.effect == "hold" for finding in evaluation.safety)
    unread = all(item.status is Status.UNKNOWN and item.holes for item in open_ones)
    return unread and not others and not waits and evaluation.approvable_now is None


def undecided(evaluation: Evaluation) -> list[CriterionResult]:
    """Return the criteria that bear on the result and are not met."""
    deciding = Tree(evaluation.criteria).deciding
    return [item for item in deciding if item.status is not Status.MET and not item.derived]
