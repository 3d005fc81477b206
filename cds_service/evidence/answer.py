"""Truth values and answers: what a question to the record gives back."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from cds_service.record.model import Hole


class Status(StrEnum):
    """Kleene's three values, and not-applicable, which takes no part (G-01)."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"
    NA = "not-applicable"

    @property
    def opposite(self) -> Status:
        """What a negation makes of it; what is unknown or does not apply stays so."""
        return _OPPOSITE.get(self, self)


_OPPOSITE = {Status.MET: Status.NOT_MET, Status.NOT_MET: Status.MET}


class Finding(Struct, frozen=True):
    """A fact with its evidence.

    `reference` is "Type/id" in the record or of a draft order, `date` ISO as written there (may be
    partial), `value` what was found there ("G89.29", "57 (T-score)"), `text` our own short label.
    The rest serves safety rules: `day` is the date counted from (onset, else recorded), `regions`
    the body regions concerned (empty: not known), `side` "left", "right" or None, `suspected` an
    unconfirmed diagnosis or preliminary result, `value_sets` the value sets that hold its code.
    `via` says which mapping of the site's own codes gave the fact, None when none did.
    """

    reference: str
    date: str | None
    value: str | None
    text: str
    day: datetime.date | None = None
    regions: frozenset[str] = frozenset()
    side: str | None = None
    suspected: bool = False
    value_sets: frozenset[str] = frozenset()
    via: str | None = None

    def saying(self, value: str) -> Finding:
        """Return the same fact with another value."""
        return Finding(
            self.reference,
            self.date,
            value,
            self.text,
            self.day,
            self.regions,
            self.side,
            self.suspected,
            self.value_sets,
            self.via,
        )


class Answer(Struct, frozen=True):
    """Whether the record shows something, what shows it, and which holes keep us from telling."""

    status: Status
    findings: tuple[Finding, ...] = ()
    holes: tuple[Hole, ...] = ()


YES = Answer(Status.MET)
"""The answer where nothing is asked."""
NOTHING = Answer(Status.NOT_MET)
"""The answer of a complete record that holds nothing of the kind asked for."""


def shown(findings: Iterable[Finding]) -> Answer:
    """The record shows it."""
    return Answer(Status.MET, tuple(findings))


def not_shown(findings: Iterable[Finding] = (), holes: tuple[Hole, ...] = ()) -> Answer:
    """A complete record does not show it; with holes nobody can tell."""
    return Answer(Status.UNKNOWN if holes else Status.NOT_MET, tuple(findings), holes)


def cannot_tell(findings: Iterable[Finding] = (), holes: tuple[Hole, ...] = ()) -> Answer:
    """The record is there and does not decide: unconfirmed, partial date, no unit."""
    return Answer(Status.UNKNOWN, tuple(findings), holes)
