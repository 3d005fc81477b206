"""What each answer came to, in rows that can be counted; made up for answers kept before."""

import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHUNK = 200

RESULT = sa.table(
    "result",
    *map(sa.column, ("guidance", "place", "policy", "determination")),
)
NOTED = sa.table(
    "noted",
    *map(sa.column, ("guidance", "place", "kind", "name", "urgency", "effect")),
)
GUIDANCE = sa.table("guidance", *map(sa.column, ("id", "orders", "evaluations", "ordered")))


def upgrade() -> None:
    """Build the tables and fill them."""
    op.add_column("guidance", sa.Column("ordered", sa.Integer))
    op.add_column("guidance", sa.Column("took", sa.Float))
    op.create_table(
        "result",
        sa.Column("guidance", sa.String, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("determination", sa.String, nullable=False),
    )
    op.create_table(
        "noted",
        sa.Column("guidance", sa.String, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("urgency", sa.String, nullable=False),
        sa.Column("effect", sa.String, nullable=False),
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    last = ""
    query = sa.select(GUIDANCE.c.id, GUIDANCE.c.orders, GUIDANCE.c.evaluations)
    while rows := connection.execute(
        query.where(GUIDANCE.c.id > last).order_by(GUIDANCE.c.id).limit(CHUNK)
    ).all():
        for row in rows:
            _fill_one(connection, row)
        last = rows[-1].id


def _fill_one(connection: sa.Connection, row: Any) -> None:
    ordered = len(orjson.loads(row.orders))
    connection.execute(sa.update(GUIDANCE).where(GUIDANCE.c.id == row.id).values(ordered=ordered))
    for place, made in enumerate(orjson.loads(zlib.decompress(bytes(row.evaluations)))):
        result = {
            "guidance": row.id,
            "place": place,
            "policy": made.get("policy") or "",
            "determination": made.get("determination") or "",
        }
        connection.execute(RESULT.insert(), result)
        if noted := list(_noted(row.id, place, made)):
            connection.execute(NOTED.insert(), noted)


def _noted(guidance: str, place: int, made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    at = {"guidance": guidance, "place": place}
    for name in {item["id"] for item in made.get("missing", ()) if item["blocking"]}:
        yield at | {"kind": "missing", "name": name, "urgency": "", "effect": ""}
    for flag in {flag["id"]: flag for flag in made.get("safety", ())}.values():
        told = {"urgency": flag["urgency"], "effect": flag["effect"]}
        yield at | {"kind": "safety", "name": flag["id"], **told}
