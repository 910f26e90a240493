"""Heartbeats of workers.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("models_key", sa.String(64), nullable=False),
        sa.Column("is_ready", sa.Boolean(), nullable=False),
        sa.Column("beat_at", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("worker")
