"""The database's shape: brought up to date at start, never down, never past what we know."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from cds_service.store.model import StoreError

FOLDER = Path(__file__).parent / "migrations"
LOCK_NUMBER = 97124
NEWER = (
    "the database was made by a newer version of massage-cds (revision {0}): start that version, "
    "or name another database in MASSAGE_CDS_DATABASE_URL"
)


def migrate(engine: Engine) -> None:
    """Bring the database to the newest revision; several processes may ask at once.

    Raises StoreError for a database of a newer version, SQLAlchemyError when it cannot be reached.
    """
    if not pending(engine):
        return
    with _alone(engine), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_NUMBER})"))
        _upgrade(connection)


def pending(engine: Engine) -> list[str]:
    """Return the revisions that the database lacks, oldest first.

    Raises StoreError for a database of a newer version, SQLAlchemyError when it cannot be reached.
    """
    scripts = ScriptDirectory.from_config(_config())
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    try:
        steps = list(scripts.iterate_revisions("head", current or "base"))
    except (CommandError, RevisionError):
        raise StoreError(NEWER.format(current)) from None
    return [step.revision for step in reversed(steps)]


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock file beside an SQLite database; PostgreSQL has a lock of its own."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name:
        yield
        return
    with Path(f"{name}.migrate").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
