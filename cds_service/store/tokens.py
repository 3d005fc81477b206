"""Used tokens: in the database for all workers, in this worker's memory while it is down."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from time import monotonic

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.database import Database
from cds_service.store.model import DownError
from cds_service.store.tables import JTI
from cds_service.store.writing import insert_tokens, jti_row

PURGE_EVERY = 1000
DROP_SECONDS = 300.0

Token = tuple[str, str]


class Tokens:
    """Tells a token that comes again; `fallbacks` counts those that memory alone can tell."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._seen: dict[Token, datetime] = {}
        self._unsaved: set[Token] = set()
        self._calls = 0
        self.fallbacks = 0
        self._dropped_at = monotonic()

    def remember(self, iss: str, jti: str, expires: datetime) -> bool:
        """Return whether a token is new, and keep it until it expires."""
        token = (iss, jti)
        with self._lock:
            self._purge()
            if token in self._seen:
                return False
            self._seen[token] = expires
        new = self._saved(token, expires)
        if new is None:
            with self._lock:
                self._unsaved.add(token)
                self.fallbacks += 1
        return new is not False

    def _saved(self, token: Token, expires: datetime) -> bool | None:
        """Return whether the database did not know the token; None when it cannot be asked."""
        if not self._database.up:
            return None
        row = jti_row(*token, expires)
        try:
            return self._database.write(lambda connection: insert_tokens(connection, [row]) == 1)
        except (DownError, SQLAlchemyError):
            return None

    def save(self) -> None:
        """Write what the database missed while it was down, and now and then drop what has expired.

        Raises DownError.
        """
        if monotonic() - self._dropped_at > DROP_SECONDS:
            drop_expired(self._database, datetime.now(UTC))
            self._dropped_at = monotonic()
        with self._lock:
            waiting = {token: self._seen[token] for token in self._unsaved if token in self._seen}
        if waiting:
            rows = [jti_row(*token, expires) for token, expires in waiting.items()]
            self._database.write(lambda connection: insert_tokens(connection, rows))
        with self._lock:
            self._unsaved -= waiting.keys()

    def _purge(self) -> None:
        self._calls += 1
        if self._calls % PURGE_EVERY:
            return
        now = datetime.now(UTC)
        self._seen = {token: end for token, end in self._seen.items() if end > now}
        self._unsaved &= self._seen.keys()


def drop_expired(database: Database, now: datetime) -> int:
    """Delete the tokens that have expired; return how many. Raises DownError."""
    statement = delete(JTI).where(JTI.c.expires < now)
    return database.write(lambda connection: connection.execute(statement).rowcount)
