"""The tables. `migrations/versions` builds them; a test holds the two together."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; SQLite knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database keeps it."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment, aware."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Packed(TypeDecorator[bytes]):
    """A JSON document, compressed: evaluations shrink to a seventh."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Return the document compressed."""
        return None if value is None else zlib.compress(value, 1)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """Return the document."""
        return None if value is None else zlib.decompress(bytes(value))


METADATA = MetaData()

GUIDANCE = Table(
    "guidance",
    METADATA,
    Column("id", String, primary_key=True),
    Column("given", Moment, nullable=False, index=True),
    Column("client", String, nullable=False),
    Column("service", String, nullable=False),
    Column("hook", String, nullable=False),
    Column("hook_instance", String, nullable=False, index=True),
    Column("patient", String, nullable=False, index=True),
    Column("orders", Text, nullable=False),
    Column("policies", Text, nullable=False),
    Column("determinations", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("request", Packed),
    Column("evaluations", Packed, nullable=False),
    Column("response", Packed, nullable=False),
    Column("worker", String, nullable=False),
    Column("ordered", Integer),
    Column("took", Float),
)

# What each evaluation of an answer came to, so that it can be counted; no policy is "".
RESULT = Table(
    "result",
    METADATA,
    Column("guidance", String, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("policy", String, nullable=False),
    Column("determination", String, nullable=False),
)

# Blocking items ("missing") and safety findings ("safety") of an evaluation.
NOTED = Table(
    "noted",
    METADATA,
    Column("guidance", String, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("urgency", String, nullable=False),
    Column("effect", String, nullable=False),
)

# A client may use one hookInstance for two patients: the patient is part of a card's identity.
CARD = Table(
    "card",
    METADATA,
    Column("client", String, primary_key=True),
    Column("uuid", String, primary_key=True),
    Column("patient", String, primary_key=True, index=True),
    Column("guidance", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("findings", Text, nullable=False),
)

# Without a foreign key: feedback may come before its card, and for a card that we do not know.
FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("service", String, nullable=False),
    Column("card", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received", Moment, nullable=False, index=True),
    Column("system", String, nullable=False),
    Column("code", String, nullable=False),
    Column("meaning", String),
    Column("acknowledges", Boolean, nullable=False),
    Column("suggestions", Text, nullable=False),
    Column("comment", Text),
    Index("ix_feedback_card", "card", "client"),
)

JTI = Table(
    "jti",
    METADATA,
    Column("iss", String, primary_key=True),
    Column("jti", String, primary_key=True),
    Column("expires", Moment, nullable=False, index=True),
)

# Who looked at or removed what is kept.
ACCESS = Table(
    "access",
    METADATA,
    Column("id", String, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("detail", Text, nullable=False),
)
