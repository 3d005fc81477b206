"""The thread that keeps to the retention: once a day, in one worker of all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.database import Database
from cds_service.store.model import StoreError
from cds_service.store.tables import ACCESS
from cds_service.store.upkeep import access_row, removed_before, tell_access
from cds_service.store.writing import insert

log = logging.getLogger(__name__)

FIRST = 60.0
EVERY = 600.0
PATIENCE = 1.0
ACTION = "prune"


class Pruner:
    """Deletes what is older than `days`, for all workers of all machines that share a database.

    The note of a day's pruning in the table `access` has one id: whoever adds it, prunes.
    """

    def __init__(
        self, database: Database, days: int, now: Callable[[], datetime], worker: str
    ) -> None:
        self._database = database
        self._days = days
        self._now = now
        self._worker = worker
        self._end = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="store-pruner", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; one that is pruning ends with the process."""
        self._end.set()
        if self._thread:
            self._thread.join(timeout=PATIENCE)

    def _run(self) -> None:
        pause = FIRST
        while not self._end.wait(pause):
            pause = EVERY
            try:
                self.prune()
            except (StoreError, SQLAlchemyError) as error:
                log.error("the store could not be pruned: %s", type(error).__name__)

    def prune(self) -> bool:
        """Prune unless this day's pruning was done or begun; return whether it was done now.

        Raises StoreError, SQLAlchemyError.
        """
        now = self._now()
        before = now - timedelta(days=self._days)
        detail = f"before {before.isoformat()}"
        note = access_row(f"prune-{now.date()}", now, f"worker {self._worker}", ACTION, detail)
        if not self._database.up or not self._database.write(lambda found: _first(found, note)):
            return False
        removed = removed_before(self._database, before, now)
        note["detail"] = f"{detail}: {removed}"
        self._database.write(lambda found: _complete(found, note))
        tell_access(note)
        return True


def _first(connection: Connection, note: dict[str, object]) -> bool:
    return insert(connection, ACCESS, [note]) == 1


def _complete(connection: Connection, note: dict[str, object]) -> None:
    connection.execute(
        update(ACCESS).where(ACCESS.c.id == note["id"]).values(detail=note["detail"])
    )
