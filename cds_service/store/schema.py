"""The database's shape: brought up to date at start, never down, never past what we know."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from cds_service.store.model import StoreError

FOLDER = Path(__file__).parent / "migrations"
ALONE = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(97124)",
}
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
    with engine.begin() as connection:
        # All or nothing, and one at a time: SQLite's driver would not begin before a CREATE.
        connection.exec_driver_sql(ALONE[connection.dialect.name])
        command.upgrade(_config(connection), "head")


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
