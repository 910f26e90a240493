"""File names of imported images.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("candidate", sa.Column("source_name", sa.Text()))


def downgrade() -> None:
    op.drop_column("candidate", "source_name")
