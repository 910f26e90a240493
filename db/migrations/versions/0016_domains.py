"""Domains: conditions or places among which the images of a label are divided.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("label", sa.Column("domains", sa.JSON()))
    op.add_column("batch", sa.Column("domain", sa.String(100)))


def downgrade() -> None:
    op.drop_column("batch", "domain")
    op.drop_column("label", "domains")
