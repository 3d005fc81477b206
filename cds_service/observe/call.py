"""One call as it is watched: who calls what, how long each step takes and what comes of it.

The call is found by a context variable, which reaches the threads of the fetch pool too. Writing
into it costs less than a microsecond; it is told once, when the call ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any, Protocol
from uuid import UUID, uuid4

CALL: ContextVar[Call | None] = ContextVar("massage-cds.call", default=None)

NO_POLICY = "none"
BILLION = 1e9
"""Nanoseconds in a second."""


class Hole(Protocol):
    """Data that could not be read, as the record names it."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102


class Call:
    """What is known of one call; times are in nanoseconds.

    `kind` is "call", "feedback" or "discovery", `service` a registered id or "unknown", `client`
    the proven caller's `iss`. `steps` adds up the time by step, `fetches` holds (query key, reason,
    time) of each query, the reason None where it brought all. `holes` are what the record lacks,
    `determinations` (policy id, determination) pairs.
    """

    __slots__ = (
        "_made",
        "client",
        "determinations",
        "ended",
        "fetches",
        "holes",
        "hook",
        "instance",
        "kind",
        "orders",
        "service",
        "started",
        "status",
        "steps",
    )

    def __init__(self, kind: str, service: str) -> None:
        self.kind = kind
        self.service = service
        self.hook: str | None = None
        self.client: str | None = None
        self.instance: str | None = None
        self.status = 0
        self.orders: int | None = None
        self.steps: dict[str, int] = {}
        self.fetches: list[tuple[str, str | None, int]] = []
        self.holes: Mapping[str, Sequence[Hole]] = {}
        self.determinations: Sequence[tuple[str, str]] = ()
        self._made: str | None = None
        self.ended = 0
        self.started = perf_counter_ns()

    @property
    def id(self) -> str:
        """The correlation id: the hookInstance, or one that is made when there is none."""
        if self.instance is None and self._made is None:
            self._made = str(uuid4())
        return self.instance or self._made or ""

    @property
    def lacking(self) -> Counter[tuple[str, str]]:
        """How many holes there are by (query key, reason)."""
        return Counter((hole.key, hole.reason) for holes in self.holes.values() for hole in holes)

    def spend(self, name: str, nanoseconds: int) -> None:
        """Add time to a step."""
        self.steps[name] = self.steps.get(name, 0) + nanoseconds

    def wait(self, nanoseconds: int) -> None:
        """Count the time before a thread was free; it is time of the call."""
        self.started -= nanoseconds
        self.spend("wait", nanoseconds)

    def end(self) -> None:
        """Note the moment at which the answer is ready."""
        self.ended = perf_counter_ns()


def current() -> Call | None:
    """Return the call that this thread works for, if any."""
    return CALL.get()


def correlation(instance: str | None = None) -> str:
    """Return the id of the current call in the log, "-" outside of one.

    `instance` is the call's hookInstance where it is known; what is no UUID does not count.
    """
    call = CALL.get()
    if call is None:
        return instance or "-"
    if instance and call.instance is None:
        call.instance = as_uuid(instance)
    return call.id


def as_uuid(text: object) -> str | None:
    """Return a UUID as its canonical text; None for what is none."""
    try:
        return str(UUID(text)) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        return None


class step:  # noqa: N801 - it reads as a statement: with step("review")
    """Adds the time of a block to a step of the current call; steps do not overlap."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._start = perf_counter_ns()

    def __exit__(self, *_: Any) -> None:
        if call := CALL.get():
            call.spend(self._name, perf_counter_ns() - self._start)


class Watch:
    """What the record tells while it is read."""

    def spent(self, name: str, nanoseconds: int) -> None:
        """Add time to a step of the current call."""
        if call := CALL.get():
            call.spend(name, nanoseconds)

    def fetched(self, key: str, reason: str | None, nanoseconds: int) -> None:
        """Note a query that has come to its end."""
        if call := CALL.get():
            call.fetches.append((key, reason, nanoseconds))


def lacking(holes: Mapping[str, Sequence[Hole]]) -> None:
    """Note what the record of the current call lacks."""
    if call := CALL.get():
        call.holes = holes


def judged(orders: int, determinations: Sequence[tuple[str | None, str]]) -> None:
    """Note how many orders were in scope, and what each policy (None: no policy) came to."""
    if call := CALL.get():
        call.orders = orders
        call.determinations = [(policy or NO_POLICY, told) for policy, told in determinations]
