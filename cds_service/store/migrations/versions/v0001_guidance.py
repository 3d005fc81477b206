"""Guidance, cards, feedback, used tokens, access.

A revision names its types itself: it must build the same tables when the code has moved on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Build the tables."""
    _guidance()
    _card()
    _feedback()
    _jti()
    _access()


def _guidance() -> None:
    op.create_table(
        "guidance",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("given", MOMENT, nullable=False, index=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("hook", sa.String, nullable=False),
        sa.Column("hook_instance", sa.String, nullable=False, index=True),
        sa.Column("patient", sa.String, nullable=False, index=True),
        sa.Column("orders", sa.Text, nullable=False),
        sa.Column("policies", sa.Text, nullable=False),
        sa.Column("determinations", sa.Text, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("request", sa.LargeBinary),
        sa.Column("evaluations", sa.LargeBinary, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("worker", sa.String, nullable=False),
    )


def _card() -> None:
    op.create_table(
        "card",
        sa.Column("client", sa.String, primary_key=True),
        sa.Column("uuid", sa.String, primary_key=True),
        sa.Column("patient", sa.String, primary_key=True, index=True),
        sa.Column("guidance", sa.String, nullable=False, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
    )


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("card", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("received", MOMENT, nullable=False, index=True),
        sa.Column("system", sa.String, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("meaning", sa.String),
        sa.Column("acknowledges", sa.Boolean, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
    )
    op.create_index("ix_feedback_card", "feedback", ["card", "client"])


def _jti() -> None:
    op.create_table(
        "jti",
        sa.Column("iss", sa.String, primary_key=True),
        sa.Column("jti", sa.String, primary_key=True),
        sa.Column("expires", MOMENT, nullable=False, index=True),
    )


def _access() -> None:
    op.create_table(
        "access",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
