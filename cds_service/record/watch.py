"""How reading gets on, for whoever measures it."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Whom the reader tells how it gets on."""

    def spent(self, name: str, nanoseconds: int) -> None:
        """Take the time of a step: "prefetch" or "fetch"."""

    def fetched(self, key: str, reason: str | None, nanoseconds: int) -> None:
        """Take the end of one query: its key, why it did not bring all (None: it did), its time."""


class Unwatched:
    """Nobody is told."""

    def spent(self, name: str, nanoseconds: int) -> None:
        """Do nothing."""

    def fetched(self, key: str, reason: str | None, nanoseconds: int) -> None:
        """Do nothing."""
