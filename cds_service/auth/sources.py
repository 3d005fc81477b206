"""Where a caller's keys come from, and how long they are good for."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic

from jwt import PyJWK

from cds_service import transport
from cds_service.auth.keys import Keys, KeysError, NoKeysError

log = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
UNKNOWN_SECONDS = 5.0
RETRY_SECONDS = 30.0
FETCH_SECONDS = 2.0
MOST_BYTES = 256 * 1024
_REASONS: Mapping[transport.Reason, str] = {
    "timeout": "too slow",
    "too-large": f"longer than {MOST_BYTES} bytes",
    "truncated": "ended too early",
    "connection": "could not be reached",
    "not-allowed": "leads to an address that may not be called",
}

Load = Callable[[], bytes]
Read = Callable[[bytes], Keys]


class SourceError(Exception):
    """Keys that cannot be had now; its text says why."""


@dataclass
class KeySource:
    """The keys of one caller, read anew when they grow old or a token names one that is unknown.

    `load` brings the key set and raises SourceError, `read` makes keys of it and raises KeysError.
    Keys are fresh for 10 minutes; `grace` seconds later they are trusted no more, and until then a
    key server that is down does no harm. `clock` counts seconds.
    """

    name: str
    load: Load
    read: Read
    grace: float
    clock: Callable[[], float] = monotonic
    _keys: Keys | None = None
    _loaded: float = -math.inf
    _tried: float = -math.inf
    _sought: float = -math.inf
    _lock: Lock = field(default_factory=Lock)

    def find(self, kid: str, algorithm: str) -> Sequence[PyJWK]:
        """Return the keys of a kid, [] when there are none even after a new look.

        A new look is taken at most once in 5 seconds, whatever kids tokens name.
        """
        self._renew_when_old()
        return self._of(kid, algorithm) or self._sought_anew(kid, algorithm)

    def refresh(self) -> None:
        """Load the keys; a failure is logged."""
        with self._lock:
            self._load_now()

    def _renew_when_old(self) -> None:
        """Let one call renew keys that have grown old, while all others go on with them."""
        now = self.clock()
        due = now - self._loaded >= FRESH_SECONDS and now - self._tried >= RETRY_SECONDS
        if due and self._lock.acquire(blocking=False):
            try:
                self._load_now()
            finally:
                self._lock.release()

    def _sought_anew(self, kid: str, algorithm: str) -> Sequence[PyJWK]:
        with self._lock:
            if self.clock() - self._sought >= UNKNOWN_SECONDS:
                self._sought = self.clock()
                self._load_now()
        return self._of(kid, algorithm)

    def _of(self, kid: str, algorithm: str) -> Sequence[PyJWK]:
        keys = self._keys
        trusted = self.clock() - self._loaded < FRESH_SECONDS + self.grace
        return keys.of(kid, algorithm) if keys and trusted else ()

    def use(self, body: bytes) -> None:
        """Take a key set as loaded now; raises KeysError."""
        keys = self.read(body)
        for problem in keys.problems:
            log.warning("keys of %s: %s", self.name, problem)
        self._keys, self._loaded = keys, self.clock()

    def _load_now(self) -> None:
        self._tried = self.clock()
        try:
            self.use(self.load())
        except (SourceError, KeysError) as error:
            log.warning("keys of %s cannot be used: %s", self.name, error)
            if isinstance(error, NoKeysError):  # withdrawn; any other fault may be the way's
                self._keys = None


def from_file(path: Path) -> Load:
    """Return what reads a key set from a file."""

    def load() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None

    return load


def from_url(url: str, *, ca_file: str | None = None, seconds: float = FETCH_SECONDS) -> Load:
    """Return what fetches a key set: one GET, no redirect, at most `seconds` and 256 KiB.

    `ca_file` is as in `transport.Session`.
    """
    session = transport.Session(1, ca_file)

    def load() -> bytes:
        try:
            answer = session.get(url, seconds, most_bytes=MOST_BYTES)
        except transport.TransportError as error:
            raise SourceError(f"{url}: {_REASONS[error.reason]}") from None
        if answer.status != 200:
            raise SourceError(f"{url}: HTTP status {answer.status}")
        return answer.body

    return load
