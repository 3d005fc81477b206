"""The contract of the store, and a store that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

if TYPE_CHECKING:
    from cds_service.store.insight import Insight, Span


class StoreError(Exception):
    """A store that cannot be used as it is set up: one line that says why and what to do."""


class DownError(StoreError):
    """A database that cannot be used now; the words name no value that was to be kept."""


@dataclass(frozen=True, slots=True)
class CardGiven:
    """A card as feedback names it: its uuid, its kind (`source.topic`), the document it cites and
    the ids of the safety findings it shows."""

    uuid: str
    kind: str
    policy: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultGiven:
    """What one evaluation came to: the policy's id ("" where none applied), the determination, the
    ids of blocking items, and safety findings as (id, urgency, effect)."""

    policy: str
    determination: str
    missing: tuple[str, ...] = ()
    safety: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Guidance:
    """One answer to one hook call.

    `client` is the caller's `iss`, `patient` what tells the patient from others of that caller
    (kept as a keyed hash only), `orders` references of the orders judged, `digest` SHA-256 of the
    request body in hex, `request` the whole request as JSON without its token where the site keeps
    it, `evaluations` JSON that names each finding once (`given.unfolded` reads it), `response`
    JSON, `policies` "id version" of each policy applied, `given` an aware datetime, `took`
    milliseconds from the whole call to the answer (None: not measured).
    """

    service: str
    hook: str
    hook_instance: str
    client: str
    patient: str = field(repr=False)
    orders: tuple[str, ...]
    digest: str
    evaluations: bytes = field(repr=False)
    response: bytes = field(repr=False)
    policies: tuple[str, ...] = ()
    determinations: tuple[str, ...] = ()
    cards: tuple[CardGiven, ...] = ()
    results: tuple[ResultGiven, ...] = ()
    took: float | None = None
    request: bytes | None = field(default=None, repr=False)
    given: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid4().hex)


class FeedbackGiven(Protocol):
    """One entry of feedback, checked: `outcome` accepted or overridden, `at` aware, the reason's
    `system` and `code` empty where none was given."""

    @property
    def card(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def suggestions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def system(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102
    @property
    def comment(self) -> str | None: ...  # noqa: D102


class Store(Protocol):
    """What services need of a store; no method raises and none waits for a database that is down.

    `client` is the caller's `iss` throughout.
    """

    def record(self, guidance: Guidance) -> None:
        """Keep an answer: once this returns, the end of the process loses nothing."""

    def feedback(self, service: str, client: str, entries: Sequence[FeedbackGiven]) -> None:
        """Keep feedback; an entry already kept adds nothing."""

    def remember(self, iss: str, jti: str, expires: datetime) -> bool:
        """Return whether a token's `jti` is new, and keep it until it expires."""

    def acknowledgements(self, client: str, patient: str) -> Mapping[str, date]:
        """Return the safety findings answered "evaluated, not present", with the day of it."""

    def health(self) -> str:
        """Return "ok", "degraded" (database down, files keep all) or "losing" (files are full)."""

    def counts(self) -> Mapping[str, int]:
        """Return what has happened since the start, by name, for metrics."""

    def insight(self, span: Span) -> Insight:
        """Return counts of what is kept: for people who wait, so it alone raises DownError."""

    def close(self) -> None:
        """Move what waits to the database where that is possible, and end."""


class NullStore:
    """Keeps nothing but used tokens, in memory: for tests and tools."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def record(self, guidance: Guidance) -> None:
        """Keep nothing."""

    def feedback(self, service: str, client: str, entries: Sequence[FeedbackGiven]) -> None:
        """Keep nothing."""

    def remember(self, iss: str, jti: str, expires: datetime) -> bool:
        """Return whether this process has not seen the token."""
        new = (iss, jti) not in self._seen
        self._seen.add((iss, jti))
        return new

    def acknowledgements(self, client: str, patient: str) -> Mapping[str, date]:
        """Return none."""
        return {}

    def health(self) -> str:
        """Return "ok"."""
        return "ok"

    def counts(self) -> Mapping[str, int]:
        """Return none."""
        return {}

    def insight(self, span: Span) -> Insight:
        """Return nothing counted."""
        from cds_service.store.insight import NOTHING  # noqa: PLC0415 - it loads SQLAlchemy

        return NOTHING

    def close(self) -> None:
        """Do nothing."""
