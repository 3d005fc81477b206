"""The store of a worker: its spool in front, the database behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from time import monotonic
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.acknowledgements import acknowledged
from cds_service.store.database import Database
from cds_service.store.drainer import Drainer
from cds_service.store.insight import Insight, Span, insight
from cds_service.store.model import DownError, FeedbackGiven, Guidance
from cds_service.store.pruning import Pruner
from cds_service.store.secret import patient_key
from cds_service.store.spool import FullError, Spool
from cds_service.store.tables import FEEDBACK
from cds_service.store.tokens import Tokens
from cds_service.store.upkeep import note_access
from cds_service.store.writing import (
    feedback_fields,
    feedback_row,
    guidance_documents,
    guidance_fields,
    insert,
)

log = logging.getLogger(__name__)

QUIET_SECONDS = 10.0
PAGE = "page of the service"

Clock = Callable[[], datetime]


class SqlStore:
    """Implements `Store`.

    `zone` is the site's, by whose days acknowledgements count; `now` gives an aware datetime;
    `pruner` keeps to the retention where there is one.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a store needs
        self,
        database: Database,
        spool: Spool,
        *,
        secret: bytes,
        zone: tzinfo,
        now: Clock,
        pruner: Pruner | None = None,
    ) -> None:
        self._database = database
        self._spool = spool
        self._secret = secret
        self._zone = zone
        self._now = now
        self._pruner = pruner
        self._tokens = Tokens(database)
        self._drainer = Drainer(spool, database, self._tokens.save)
        self._recorded = 0
        self._lost = 0
        self._losing = False
        self._told_at = -QUIET_SECONDS

    def start(self) -> None:
        """Reach the database and start moving; one that is down is tried again and again.

        Raises StoreError for a database of a newer version.
        """
        try:
            self._database.recover()
        except DownError:
            log.error("guidance goes on and is kept in %s until then", self._spool.folder)
        self._drainer.start()
        self._drainer.wake()
        if self._pruner:
            self._pruner.start()

    def record(self, guidance: Guidance) -> None:
        """Keep an answer in the worker's file."""
        key = patient_key(self._secret, guidance.client, guidance.patient)
        fields = guidance_fields(guidance, key, self._spool.name)
        self._spooled(fields, guidance_documents(guidance))

    def _spooled(self, fields: Mapping[str, Any], documents: Sequence[bytes | None] = ()) -> None:
        try:
            self._spool.append(fields, documents)
        except (FullError, OSError, TypeError) as error:
            self._lose(error)
        else:
            self._recorded += 1
            self._losing = False
            self._drainer.wake()

    def _lose(self, error: Exception) -> None:
        """Count what could not be kept, and say so aloud, though not for every single one."""
        self._lost += 1
        self._losing = True
        if monotonic() - self._told_at > QUIET_SECONDS:
            self._told_at = monotonic()
            words = "GUIDANCE IS NOT BEING KEPT, %d answers so far: %s: %s"
            log.critical(words, self._lost, type(error).__name__, error)

    def feedback(self, service: str, client: str, entries: Sequence[FeedbackGiven]) -> None:
        """Keep feedback in the database, or in the worker's file while it is down."""
        received = self._now()
        fields = [feedback_fields(entry, service, client, received) for entry in entries]
        if not (self.flush() and self._inserted(fields)):
            for each in fields:
                self._spooled(each)

    def _inserted(self, fields: Sequence[Mapping[str, Any]]) -> bool:
        rows = [feedback_row(each) for each in fields]

        def work(connection: Connection) -> None:
            insert(connection, FEEDBACK, rows)

        try:
            self._database.write(work)
        except (DownError, SQLAlchemyError):
            return False
        return True

    def remember(self, iss: str, jti: str, expires: datetime) -> bool:
        """Return whether a token is new, on any worker while the database is up."""
        return self._tokens.remember(iss, jti, expires)

    def acknowledgements(self, client: str, patient: str) -> Mapping[str, date]:
        """Return what was answered "evaluated, not present"; none while the database is down: what
        is not known lowers no stop."""
        if not self._database.up:
            return {}
        key = patient_key(self._secret, client, patient)
        try:
            return self._database.run(lambda found: acknowledged(found, key, self._zone))
        except (DownError, SQLAlchemyError):
            return {}

    def flush(self) -> bool:
        """Move what waits in this worker's files now; return whether nothing is left."""
        return self._drainer.drain()

    def insight(self, span: Span) -> Insight:
        """Return counts of what is kept, with what this worker still holds; raises DownError."""
        self.flush()
        found = self._database.run(lambda connection: insight(connection, span))
        note_access(self._database, "insight", f"{span.start or ''} to {span.end or ''}", PAGE)
        return found

    def health(self) -> str:
        """Return "ok", "degraded" or "losing"."""
        if self._losing:
            return "losing"
        return "ok" if self._database.up else "degraded"

    def counts(self) -> Mapping[str, int]:
        """Return what has happened since the start of this worker."""
        return {
            "recorded": self._recorded,
            "moved": self._drainer.moved,
            "lost": self._lost,
            "refused": self._drainer.refused,
            "adopted": self._drainer.adopted,
            "failures": self._database.failures,
            "jti_fallbacks": self._tokens.fallbacks,
            "waiting_bytes": self._spool.waiting,
        }

    def close(self) -> None:
        """Move what waits, and give up the files; what could not be moved stays in them."""
        if self._pruner:
            self._pruner.stop()
        self._drainer.stop()
        self._drainer.drain()
        self._spool.release()
        self._database.close()
