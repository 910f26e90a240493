"""Cost of the language model, budget of a run, and cached answers.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED: dict[str, tuple[sa.Column[Any], ...]] = {
    "run": (
        sa.Column("budget", sa.Float(53)),
        sa.Column("spent", sa.Float(53), nullable=False, server_default="0"),
        sa.Column("pause_reason", sa.Text()),
    ),
    "llm_call": (
        sa.Column("request_key", sa.String(64)),
        sa.Column("is_reused", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("cost", sa.Float(53), nullable=False, server_default="0"),
    ),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_llm_call_request_key", "llm_call", ["request_key"])
    op.create_table(
        "llm_answer",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("exchanges", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_llm_answer"),
    )


def downgrade() -> None:
    op.drop_table("llm_answer")
    op.drop_index("ix_llm_call_request_key", "llm_call")
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
