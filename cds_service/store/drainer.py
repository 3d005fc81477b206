"""The thread that moves a worker's spool to the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from threading import Event, Lock, Thread
from time import monotonic

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from cds_service.store.database import Database
from cds_service.store.model import StoreError
from cds_service.store.spool import DamagedError, Record, Segment, Spool, packed
from cds_service.store.writing import write

log = logging.getLogger(__name__)

TICK = 0.2
IDLE = 15.0
PATIENCE = 1.0
BATCH = 50


class Drainer:
    """Moves records in batches; a batch that was cut short is simply written again.

    `beside` is what else waits for the database. A record that the database refuses is set aside in
    a file, so that it blocks no other.
    """

    def __init__(self, spool: Spool, database: Database, beside: Callable[[], None]) -> None:
        self._spool = spool
        self._database = database
        self._beside = beside
        self._work = Lock()
        self._due = Event()
        self._end = Event()
        self._thread: Thread | None = None
        self._looked_at = -IDLE
        self.moved = 0
        self.refused = 0
        self.adopted = 0

    def start(self) -> None:
        """Start the thread; it takes over what dead processes left, now and then again."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="store-drainer", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Tell that there is something to move."""
        self._due.set()

    def stop(self) -> None:
        """End the thread after its present batch."""
        self._end.set()
        self._due.set()
        if self._thread:
            self._thread.join(timeout=IDLE)

    def _run(self) -> None:
        while not self._end.is_set():
            self._due.wait(IDLE if self._database.up else PATIENCE)
            if self._end.wait(TICK if self._database.up else PATIENCE):
                return
            self._due.clear()
            try:
                self.drain()
            except Exception as error:
                # A thread that dies in silence would fill the disk.
                log.error("the spool could not be moved: %s", type(error).__name__)

    def drain(self) -> bool:
        """Move all there is; return whether nothing is left."""
        with self._work:
            try:
                self._database.recover()
                self._look_round()
                self._beside()
                while segments := self._spool.sealed():
                    self._move_all(segments)
            except StoreError:
                return False
            return True

    def _look_round(self) -> None:
        """Now and then see that the database answers, and whether other processes have died."""
        now = monotonic()
        if now - self._looked_at < IDLE:
            return
        self._looked_at = now
        self._database.run(lambda connection: connection.execute(select(1)))
        found = self._spool.adopt()
        self.adopted += found
        if found:
            log.warning("took over %d spool files of processes that have ended", found)

    def _move_all(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            try:
                self._move(segment)
                segment.remove()
            except DamagedError as error:
                aside = segment.set_aside()
                log.error("a spool file is damaged (%s); its rest is kept as %s", error, aside.name)
            self._spool.forget(segment)

    def _move(self, segment: Segment) -> None:
        records = segment.records()
        for batch in _batches(records):
            self._write(segment, batch)
            segment.done = batch[-1].end
            self.moved += len(batch)
        if segment.torn:
            log.warning("a spool file ends in %d bytes of an answer never given", segment.torn)

    def _write(self, segment: Segment, batch: Sequence[Record]) -> None:
        try:
            self._database.write(lambda connection: write(connection, batch))
        except SQLAlchemyError:
            for record in batch:
                self._write_one(segment, record)

    def _write_one(self, segment: Segment, record: Record) -> None:
        try:
            self._database.write(lambda connection: write(connection, [record]))
        except SQLAlchemyError as error:
            self.refused += 1
            aside = segment.path.with_suffix(".refused")
            with aside.open("ab") as file:
                file.write(packed(record.fields, record.documents))
            words = "the database refuses record %s (%s); it is kept in %s"
            log.error(words, record.fields.get("id"), type(error).__name__, aside.name)


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, BATCH)):
        yield batch
