"""One database behind a switch: once it fails, nobody waits for it until it answers again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cds_service.store.model import DownError, StoreError
from cds_service.store.schema import migrate, pending
from cds_service.store.setup import SECONDS

log = logging.getLogger(__name__)
logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # below, it logs rows with what they hold

T = TypeVar("T")
Work = Callable[[Connection], T]

KINDS = ("sqlite", "postgresql")
UNUSABLE = (
    "MASSAGE_CDS_DATABASE_URL names no database that can be used: write sqlite:///path/of/file or "
    "postgresql://user:password@host/name"
)


class Database:
    """An engine that remembers whether it works.

    `up` is False until the tables are there and after each failure, until `recover` succeeds. What
    runs while a call waits asks it first.
    """

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        """Raises StoreError for a URL that names no database we know."""
        self.url = _url(url)
        self.engine = _engine(self.url, seconds)
        self.up = False
        self.failures = 0
        self._file = _Identity(self.url)
        self._seconds = seconds
        self._turn = Lock()

    def run(self, work: Work[T]) -> T:
        """Do something in a transaction; raises DownError, or what the data themselves caused."""
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            if not _is_down(error):
                raise
            self._fail(error)
            raise DownError(_told(error)) from None

    def write(self, work: Work[T]) -> T:
        """Do something that changes rows; raises as `run` does.

        SQLite lets one write at a time and has the others look again after pauses that grow, so
        that an unlucky call waited for a second: threads of a process wait for their turn here.
        """
        if self.url.get_backend_name() != "sqlite":
            return self.run(work)
        if not self._turn.acquire(timeout=self._seconds):
            raise DownError(_told(TimeoutError(f"no turn in {self._seconds:g} s")))
        try:
            return self.run(work)
        finally:
            self._turn.release()

    def recover(self) -> None:
        """Make the database usable: reach it, bring its tables up to date; raises DownError."""
        if self.up and self._file.same():
            return
        self.engine.dispose()
        try:
            self._file.note()
            migrate(self.engine)
        except (SQLAlchemyError, OSError) as error:
            self._fail(error)
            raise DownError(_told(error)) from None
        except StoreError as error:
            self._fail(error)
            raise
        self._file.note()
        if not self.up and self.failures:
            log.warning("the database answers again")
        self.up = True

    def behind(self) -> list[str]:
        """Return the revisions that the database lacks; raises DownError, StoreError."""
        self._file.demand_folder()
        try:
            return pending(self.engine)
        except SQLAlchemyError as error:
            raise DownError(_told(error)) from None

    def _fail(self, error: Exception) -> None:
        self.failures += 1
        if self.up or self.failures == 1:
            log.error("%s", _told(error))
        self.up = False

    def close(self) -> None:
        """End all connections."""
        self.engine.dispose()


class _Identity:
    """Which file an SQLite database is: a deleted one would be written to in silence."""

    def __init__(self, url: URL) -> None:
        file = url.get_backend_name() == "sqlite" and url.database
        self._path = Path(file) if file else None
        self._known: tuple[int, int] | None = None

    def note(self) -> None:
        if self._path:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(self._path)
            self._known = self._now()

    def demand_folder(self) -> None:
        if self._path and not self._path.parent.is_dir():
            remedy = "`massage-cds store migrate` makes one, and so does the service at its start"
            raise DownError(f"there is no store at {self._path} yet: {remedy}")

    def same(self) -> bool:
        return self._path is None or (self._known is not None and self._known == self._now())

    def _now(self) -> tuple[int, int] | None:
        try:
            about = self._path.stat() if self._path else None
        except OSError:
            return None
        return (about.st_dev, about.st_ino) if about else None


def _make(path: Path) -> None:
    """Make the file for its owner alone, where it is absent: SQLite would let everybody read it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise StoreError(UNUSABLE) from None
    if kind not in KINDS or not url.database or url.database == ":memory:":
        raise StoreError(UNUSABLE)
    return url.set(drivername="postgresql+psycopg") if kind == "postgresql" else url


def _engine(url: URL, seconds: float) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, seconds)
        return create_engine(
            url,
            pool_timeout=seconds,
            pool_recycle=600,
            connect_args=_postgresql(url, seconds),
            hide_parameters=True,
        )
    except (NoSuchModuleError, ImportError, ArgumentError):
        raise StoreError(UNUSABLE) from None


def _sqlite(url: URL, seconds: float) -> Engine:
    engine = create_engine(
        url, pool_timeout=seconds, connect_args={"timeout": seconds}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # NORMAL: a power cut may take the last transactions, never the database's consistency.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: URL, seconds: float) -> dict[str, Any]:
    milliseconds = int(seconds * 1000)
    given = {
        "connect_timeout": max(2, int(seconds)),
        "tcp_user_timeout": milliseconds,
        "options": f"-c statement_timeout={milliseconds * 5} -c lock_timeout={milliseconds}",
        "application_name": "massage-cds",
    }
    return {name: value for name, value in given.items() if name not in url.query}


def _is_down(error: SQLAlchemyError) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OperationalError, InterfaceError, PoolTimeoutError))


def _told(error: Exception) -> str:
    """Name the failure in one line without SQL and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    told = f"{type(cause).__name__}: {lines[0] if lines else ''}"
    return f"the database cannot be used now: {told}"
