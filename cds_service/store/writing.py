"""Between records of the spool and rows of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.store.insight import MISSING, SAFETY
from cds_service.store.model import CardGiven, FeedbackGiven, Guidance
from cds_service.store.reasons import reason
from cds_service.store.spool import Record
from cds_service.store.tables import CARD, FEEDBACK, GUIDANCE, JTI, NOTED, RESULT

Row = dict[str, Any]

DOCUMENTS = ("evaluations", "response", "request")


def guidance_fields(guidance: Guidance, patient: str, worker: str) -> Row:
    """Return the header of a guidance in the spool; `patient` is the patient's key."""
    return {
        "kind": "guidance",
        "id": guidance.id,
        "given": guidance.given.timestamp(),
        "client": guidance.client,
        "service": guidance.service,
        "hook": guidance.hook,
        "hook_instance": guidance.hook_instance,
        "patient": patient,
        "orders": guidance.orders,
        "policies": guidance.policies,
        "determinations": guidance.determinations,
        "digest": guidance.digest,
        "worker": worker,
        "cards": [_card(card) for card in guidance.cards],
        "ordered": len(guidance.orders),
        "took": guidance.took,
        "results": [astuple(result) for result in guidance.results],
    }


def _card(card: CardGiven) -> Row:
    return {
        "uuid": card.uuid,
        "kind": card.kind,
        "policy": card.policy,
        "findings": card.findings,
    }


def guidance_documents(guidance: Guidance) -> tuple[bytes | None, ...]:
    """Return the documents of a guidance, in the order of DOCUMENTS."""
    return guidance.evaluations, guidance.response, guidance.request


def feedback_fields(entry: FeedbackGiven, service: str, client: str, received: datetime) -> Row:
    """Return an entry of feedback as the spool keeps it."""
    understood = reason(entry.system, entry.code)
    overridden = entry.outcome == "overridden"
    return {
        "kind": "feedback",
        "id": _feedback_id(entry, client),
        "client": client,
        "service": service,
        "card": entry.card,
        "outcome": entry.outcome,
        "at": entry.at.timestamp(),
        "received": received.timestamp(),
        "system": entry.system,
        "code": entry.code,
        "meaning": understood.meaning,
        "acknowledges": overridden and understood.acknowledges,
        "suggestions": entry.suggestions,
        "comment": entry.comment,
    }


def _feedback_id(entry: FeedbackGiven, client: str) -> str:
    """Return what makes an entry the same one again."""
    moment = entry.at.astimezone(UTC).isoformat()
    parts = [client, entry.card, entry.outcome, moment, entry.system, entry.code]
    content = orjson.dumps([*parts, sorted(entry.suggestions)])
    return hashlib.sha256(content).hexdigest()


def write(connection: Connection, records: Sequence[Record]) -> None:
    """Insert records; what is there already stays as it is."""
    guidance = [record for record in records if record.fields["kind"] == "guidance"]
    feedback = [record.fields for record in records if record.fields["kind"] == "feedback"]
    insert(connection, GUIDANCE, [_guidance_row(record) for record in guidance])
    insert(connection, CARD, [row for record in guidance for row in _card_rows(record.fields)])
    insert(connection, RESULT, [row for record in guidance for row in _results(record.fields)])
    insert(connection, NOTED, [row for record in guidance for row in _noted(record.fields)])
    insert(connection, FEEDBACK, [feedback_row(fields) for fields in feedback])


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> int:
    """Insert the rows that are not there yet; return how many that were, for a single row."""
    listed = list(rows)
    if not listed:
        return 0
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    # Without the option SQLAlchemy forgets what psycopg counts for an INSERT.
    plain = dialect.insert(table).on_conflict_do_nothing()
    statement = plain.execution_options(preserve_rowcount=True)
    return connection.execute(statement, listed if len(listed) > 1 else listed[0]).rowcount


def _guidance_row(record: Record) -> Row:
    fields = record.fields
    row = {column.name: fields.get(column.name) for column in GUIDANCE.columns}
    lists = {name: _text(fields[name]) for name in ("orders", "policies", "determinations")}
    documents = dict(zip(DOCUMENTS, record.documents, strict=True))
    return row | lists | documents | {"given": _moment(fields["given"])}


def _card_rows(fields: Any) -> list[Row]:
    of = {"client": fields["client"], "patient": fields["patient"], "guidance": fields["id"]}
    return [{**card, **of, "findings": _text(card["findings"])} for card in fields["cards"]]


def _results(fields: Any) -> Iterator[Row]:
    for place, (policy, determination, _, _) in enumerate(fields.get("results", ())):
        at = {"guidance": fields["id"], "place": place}
        yield at | {"policy": policy, "determination": determination}


def _noted(fields: Any) -> Iterator[Row]:
    for place, (_, _, missing, safety) in enumerate(fields.get("results", ())):
        at = {"guidance": fields["id"], "place": place}
        for name in missing:
            yield at | {"kind": MISSING, "name": name, "urgency": "", "effect": ""}
        for name, urgency, effect in safety:
            yield at | {"kind": SAFETY, "name": name, "urgency": urgency, "effect": effect}


def feedback_row(fields: Any) -> Row:
    """Return the row of an entry as the spool keeps it."""
    row = {column.name: fields[column.name] for column in FEEDBACK.columns}
    moments = {name: _moment(fields[name]) for name in ("at", "received")}
    return row | moments | {"suggestions": _text(fields["suggestions"])}


def jti_row(iss: str, jti: str, expires: datetime) -> Row:
    """Return the row of a token."""
    return {"iss": iss, "jti": jti, "expires": expires}


def insert_tokens(connection: Connection, rows: Iterable[Row]) -> int:
    """Insert tokens; return how many of a single one were new."""
    return insert(connection, JTI, rows)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(values: Sequence[str]) -> str:
    return orjson.dumps(values).decode()
