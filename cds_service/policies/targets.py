"""What a policy wants scores to have come to, by day of the episode: drawn, never decided by.

The criteria decide. A test holds each target against its criterion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cds_service.policies.expressions import Scope

Size = str | Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Target:
    """Measures (ids or groups) that should be better by `size` from day `first` of the episode on,
    up to the day before `before` (None: for good). `size` is as in `progress`."""

    rule: str
    of: tuple[str, ...]
    size: Size
    first: Fraction = Fraction(0)
    before: Fraction | None = None


def targets_of(data: Mapping[str, Any], scope: Scope) -> Iterator[Target]:
    """Yield the targets of a checked policy file."""
    for entry in data.get("targets", ()):
        days = scope.resolve(entry.get("days", {"from": 0}))
        first = days["from"] if "from" in days else days["after"] + 1
        size = scope.resolve(entry["better-by"])
        yield Target(entry["rule"], tuple(entry["of"]), size, first, days.get("before"))
