"""What an operator does with the store: bring it up to date, look at it, prune it."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, and_, delete, exists, func, not_, or_, select, update

from cds_service.store.database import Database
from cds_service.store.tables import ACCESS, CARD, FEEDBACK, GUIDANCE, METADATA, NOTED, RESULT
from cds_service.store.tokens import drop_expired

log = logging.getLogger(__name__)

CHUNK = 500

_ACTS = exists().where(
    and_(
        FEEDBACK.c.card == CARD.c.uuid,
        FEEDBACK.c.client == CARD.c.client,
        FEEDBACK.c.acknowledges,
    )
)
_HAS_CARD = exists().where(and_(CARD.c.uuid == FEEDBACK.c.card, CARD.c.client == FEEDBACK.c.client))


def status(database: Database) -> Mapping[str, int]:
    """Return rows by table, or how many revisions lack; raises DownError, StoreError."""
    steps = len(database.behind())
    if steps:
        return {"revisions behind": steps}
    return {"revisions behind": 0, **database.run(_counts)}


def _counts(connection: Connection) -> Mapping[str, int]:
    found = {table.name: _count(connection, select(table)) for table in METADATA.sorted_tables}
    unknown = _count(connection, select(FEEDBACK).where(not_(_HAS_CARD)))
    acts = _count(connection, select(FEEDBACK).where(FEEDBACK.c.acknowledges, _HAS_CARD))
    return {**found, "feedback on unknown cards": unknown, "acknowledgements": acts}


def _count(connection: Connection, rows: Select[tuple[object, ...]]) -> int:
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def prune(database: Database, before: datetime, now: datetime | None = None) -> Mapping[str, int]:
    """Delete what is older than a moment; return how many rows of each table.

    An acknowledgement stays with the card it is about: it acts until newer evidence appears. Only
    its comment goes. Raises DownError.
    """
    removed = removed_before(database, before, now or datetime.now(UTC))
    note_access(database, "prune", f"before {before.isoformat()}: {removed}")
    return removed


def removed_before(database: Database, before: datetime, now: datetime) -> dict[str, int]:
    """Delete as `prune` does, and leave no note of it."""
    return {
        "guidance": _prune_guidance(database, before),
        "feedback": database.write(lambda connection: _prune_feedback(connection, before)),
        "jti": drop_expired(database, now),
    }


def _prune_guidance(database: Database, before: datetime) -> int:
    """Delete in small transactions: the workers write meanwhile."""
    removed = 0
    while count := database.write(lambda connection: _prune_chunk(connection, before)):
        removed += count
    return removed


def _prune_chunk(connection: Connection, before: datetime) -> int:
    old = select(GUIDANCE.c.id).where(GUIDANCE.c.given < before).limit(CHUNK)
    names = list(connection.execute(old).scalars())
    connection.execute(delete(CARD).where(CARD.c.guidance.in_(names), not_(_ACTS)))
    for table in (RESULT, NOTED):
        connection.execute(delete(table).where(table.c.guidance.in_(names)))
    connection.execute(delete(GUIDANCE).where(GUIDANCE.c.id.in_(names)))
    return len(names)


def _prune_feedback(connection: Connection, before: datetime) -> int:
    old = FEEDBACK.c.received < before
    connection.execute(update(FEEDBACK).where(old).values(comment=None))
    idle = or_(not_(FEEDBACK.c.acknowledges), not_(_HAS_CARD))
    return connection.execute(delete(FEEDBACK).where(old, idle)).rowcount


def note_access(database: Database, action: str, detail: str, actor: str | None = None) -> None:
    """Note who looked at or removed what is kept, in the database and the log; raises DownError.

    `actor` is the user who runs the process where it is not given.
    """
    row = access_row(uuid4().hex, datetime.now(UTC), actor or getpass.getuser(), action, detail)
    database.write(lambda connection: connection.execute(ACCESS.insert(), row))
    tell_access(row)


def access_row(note: str, at: datetime, actor: str, action: str, detail: str) -> dict[str, Any]:
    """Return a row of the table `access`."""
    return {"id": note, "at": at, "actor": actor, "action": action, "detail": detail}


def tell_access(row: Mapping[str, Any]) -> None:
    """Write the line of an access."""
    told = {name: row[name] for name in ("actor", "action", "detail")}
    log.info("access", extra={"event": "access", "fields": told})


def accesses(database: Database, most: int = 100) -> Sequence[tuple[datetime, str, str, str]]:
    """Return who looked at or removed what is kept (moment, actor, action, detail), newest first.

    Raises DownError.
    """
    columns = (ACCESS.c.at, ACCESS.c.actor, ACCESS.c.action, ACCESS.c.detail)
    newest = select(*columns).order_by(ACCESS.c.at.desc()).limit(most)
    return database.run(lambda found: [tuple(row) for row in found.execute(newest)])
