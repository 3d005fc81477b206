"""What was given: calls as they were kept, and the calls that gave one card or assertion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from cds_service.store.tables import CARD, FEEDBACK, GUIDANCE

Json = dict[str, Any]


def calls(connection: Connection, services: Iterable[str], since: datetime) -> Iterator[Json]:
    """Yield the calls of some services since a moment, oldest first, their documents as JSON."""
    rows = (
        select(GUIDANCE)
        .where(GUIDANCE.c.service.in_([*services]), GUIDANCE.c.given >= since)
        .order_by(GUIDANCE.c.given)
    )
    for row in connection.execute(rows):
        yield _call(row)


def giving(connection: Connection, name: str) -> list[Json]:
    """Return the calls that first gave a card, or a coverage assertion, of that id."""
    rows = (
        select(GUIDANCE)
        .join(CARD, CARD.c.guidance == GUIDANCE.c.id)
        .where(CARD.c.uuid == name)
        .order_by(GUIDANCE.c.given)
    )
    return [_call(row) for row in connection.execute(rows)]


def outcomes(connection: Connection, client: str, cards: Iterable[str]) -> Mapping[str, str]:
    """Return what became of a client's cards, by uuid: what was reported last."""
    rows = (
        select(FEEDBACK.c.card, FEEDBACK.c.outcome)
        .where(FEEDBACK.c.client == client, FEEDBACK.c.card.in_([*cards]))
        .order_by(FEEDBACK.c.at)
    )
    return {row.card: row.outcome for row in connection.execute(rows)}


def _call(row: Row[Any]) -> Json:
    held: Json = {str(name): value for name, value in row._mapping.items()}
    texts = ("request", "response", "evaluations", "orders", "policies", "determinations")
    read = {name: orjson.loads(held[name]) if held[name] else None for name in texts}
    return held | read | {"evaluations": unfolded(read["evaluations"])}


def unfolded(kept: Any) -> Any:
    """Return evaluations with each finding where it is evidence; older rows keep them so."""
    if isinstance(kept, list):
        return kept
    for made in kept["evaluations"]:
        for part in (*made["criteria"], *made["safety"]):
            part["evidence"] = [kept["findings"][place] for place in part["evidence"]]
    return kept["evaluations"]
