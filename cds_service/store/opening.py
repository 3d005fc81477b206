"""Makes a store from what a site sets up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cds_service.store.database import Database
from cds_service.store.pruning import Pruner
from cds_service.store.secret import load_secret
from cds_service.store.setup import Setup
from cds_service.store.spool import Spool
from cds_service.store.sql import SqlStore

FILE = "massage-cds.sqlite"
SPOOL = "spool"


def database_of(setup: Setup) -> Database:
    """Return the database; raises StoreError for a URL that names none we know."""
    url = setup.url or f"sqlite:///{setup.folder.absolute() / FILE}"
    return Database(url, seconds=setup.seconds)


def utc_now() -> datetime:
    """Return the moment, aware."""
    return datetime.now(UTC)


def open_store(setup: Setup, now: Callable[[], datetime] = utc_now) -> SqlStore:
    """Return a store that is not started yet; raises StoreError."""
    spool = Spool(setup.folder / SPOOL, setup.spool_limit)
    secret = load_secret(setup.secret, setup.folder)
    database = database_of(setup)
    pruner = Pruner(database, setup.retention, now, spool.name) if setup.retention else None
    return SqlStore(database, spool, secret=secret, zone=setup.zone, now=now, pruner=pruner)
