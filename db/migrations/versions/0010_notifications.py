"""Notifications (transactional outbox).

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.Float(53), nullable=False),
        sa.Column("told_at", sa.Float(53)),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_notification_run_id_run"),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )


def downgrade() -> None:
    op.drop_table("notification")
