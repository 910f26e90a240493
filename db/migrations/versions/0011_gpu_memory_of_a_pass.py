"""Peak GPU memory of an item's pass.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("item", sa.Column("gpu_peak_bytes", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("item", "gpu_peak_bytes")
