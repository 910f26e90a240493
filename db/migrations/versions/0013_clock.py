"""The clock of a SQLite database: when each boot of its machine began.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("boot", sa.String(32), primary_key=True),
        sa.Column("booted_at", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("clock")
