"""Tokens that a language model's server did not count, and the thoughts before an answer.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COUNTS = ("prompt_tokens", "completion_tokens")


def upgrade() -> None:
    with op.batch_alter_table("llm_call") as table:
        table.add_column(sa.Column("thoughts", sa.Text()))
        for name in COUNTS:
            table.alter_column(name, existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    for name in COUNTS:
        op.execute(f"UPDATE llm_call SET {name} = 0 WHERE {name} IS NULL")  # noqa: S608  # ours
    with op.batch_alter_table("llm_call") as table:
        for name in COUNTS:
            table.alter_column(name, existing_type=sa.Integer(), nullable=False)
        table.drop_column("thoughts")
