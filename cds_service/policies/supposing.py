"""What-if: items and criteria taken as shown that the record does not show.

Only what is unknown can be supposed: what the record shows, and what it rules out, stays. A safety
finding gives way to the document its rule asks for and to nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cds_service.evidence.answer import Status
from cds_service.policies.criteria import Criterion, Outcome
from cds_service.policies.safety import Judged, Raised

Supposed = frozenset[str]


def supposing(outcome: Outcome, criterion: Criterion, supposed: Supposed) -> Outcome:
    """Return the outcome of a criterion once the supposed ids are taken as shown.

    It is met when its own id is among them, or all that it asks for; a group follows its members,
    and a part of a dose stays a part.
    """
    if criterion.group or outcome.status is not Status.UNKNOWN or outcome.supports:
        return outcome
    wanted = outcome.asks or outcome.advises
    used = _used((criterion.id, *wanted), supposed)
    if criterion.id in supposed or (wanted and supposed.issuperset(wanted)):
        weight = Status.NA if outcome.weight is Status.NA else Status.MET
        return Outcome(Status.MET, weight, outcome.findings, supposed=used)
    left = tuple(item for item in outcome.asks if item not in supposed)
    return replace(outcome, asks=left, supposed=used) if used else outcome


def documented(raised: Raised, supposed: Supposed) -> Raised:
    """Return what a safety rule raised once the supposed documents are taken as shown."""
    return replace(raised, judged=tuple(_documented(item, supposed) for item in raised.judged))


def _documented(item: Judged, supposed: Supposed) -> Judged:
    """Address a finding by all that it asks for; one that asks for nothing stays as it is."""
    used = _used(item.asks, supposed)
    if not used:
        return item
    left = tuple(name for name in item.asks if name not in supposed)
    if left:
        return replace(item, asks=left, supposed=used)
    return replace(item, effect="none", addressed=True, asks=(), supposed=used)


def _used(names: Sequence[str], supposed: Supposed) -> tuple[str, ...]:
    return tuple(name for name in names if name in supposed)
