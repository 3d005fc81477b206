"""Makes a store from what a site sets up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from cds_service.store.database import SECONDS, Database
from cds_service.store.secret import load_secret
from cds_service.store.spool import Spool
from cds_service.store.sql import SqlStore

FILE = "massage-cds.sqlite"
SPOOL = "spool"


@dataclass(frozen=True)
class Setup:
    """Where a store keeps things.

    `folder` holds the spool, and the SQLite file and the secret where `url` and `secret` are not
    given; `zone` is the site's, `spool_limit` bytes the most that may wait in the files of a
    worker, `seconds` the longest wait for the database.
    """

    folder: Path
    zone: tzinfo
    url: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    spool_limit: int = 1 << 30
    seconds: float = SECONDS


def database_of(setup: Setup) -> Database:
    """Return the database; raises StoreError for a URL that names none we know."""
    url = setup.url or f"sqlite:///{setup.folder.absolute() / FILE}"
    return Database(url, seconds=setup.seconds)


def open_store(setup: Setup) -> SqlStore:
    """Return a store that is not started yet; raises StoreError."""
    spool = Spool(setup.folder / SPOOL, setup.spool_limit)
    secret = load_secret(setup.secret, setup.folder)
    return SqlStore(database_of(setup), spool, secret=secret, zone=setup.zone)
