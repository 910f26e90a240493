"""Inputs and worker of failed items; two foreign keys that PostgreSQL lacked.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LATE_KEYS = {"scene_id": "scene", "placement_id": "placement"}
"""Columns of candidate that refer to tables created after it; SQLite has these keys since 0001."""


def upgrade() -> None:
    with op.batch_alter_table("item") as batch_op:
        batch_op.add_column(sa.Column("worker", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("inputs", sa.JSON(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for column, table in LATE_KEYS.items():
            op.create_foreign_key(_name(column, table), "candidate", table, [column], ["id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for column, table in LATE_KEYS.items():
            op.drop_constraint(_name(column, table), "candidate", type_="foreignkey")
    with op.batch_alter_table("item") as batch_op:
        batch_op.drop_column("inputs")
        batch_op.drop_column("worker")


def _name(column: str, table: str) -> str:
    return f"fk_candidate_{column}_{table}"
