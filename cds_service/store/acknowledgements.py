"""What clinicians have evaluated and not found: derived from feedback and the cards it is about.

The latest override of a card counts. A card that went to two patients of a client under one
hookInstance tells nothing of either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, tzinfo
from typing import Any

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, select

from cds_service.store.tables import CARD, FEEDBACK

_TWIN = CARD.alias("twin")
_SHARED = exists().where(
    and_(
        _TWIN.c.client == CARD.c.client,
        _TWIN.c.uuid == CARD.c.uuid,
        _TWIN.c.patient != CARD.c.patient,
    )
)
OVERRIDES = (
    select(
        CARD.c.uuid, CARD.c.findings, FEEDBACK.c.at, FEEDBACK.c.received, FEEDBACK.c.acknowledges
    )
    .join(FEEDBACK, and_(FEEDBACK.c.card == CARD.c.uuid, FEEDBACK.c.client == CARD.c.client))
    .where(CARD.c.patient == bindparam("patient"), FEEDBACK.c.outcome == "overridden", ~_SHARED)
    .order_by(FEEDBACK.c.at, FEEDBACK.c.received)
)


def acknowledged(connection: Connection, patient: str, zone: tzinfo) -> Mapping[str, date]:
    """Return each acknowledged finding with the day of it at the site; `patient` is the key."""
    latest = {row.uuid: row for row in connection.execute(OVERRIDES, {"patient": patient})}
    return _days((row for row in latest.values() if row.acknowledges), zone)


def _days(rows: Iterable[Any], zone: tzinfo) -> dict[str, date]:
    days: dict[str, date] = {}
    for row in rows:
        # A client's clock may be ahead: an answer never counts for days to come.
        day = min(row.at, row.received).astimezone(zone).date()
        for finding in orjson.loads(row.findings):
            days[finding] = max(day, days.get(finding, day))
    return days
