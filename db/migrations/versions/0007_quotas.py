"""Quotas: requested number of accepted candidates per label.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("label", sa.Column("quota", sa.Integer()))
    op.add_column("label", sa.Column("max_images", sa.Integer()))


def downgrade() -> None:
    op.drop_column("label", "max_images")
    op.drop_column("label", "quota")
