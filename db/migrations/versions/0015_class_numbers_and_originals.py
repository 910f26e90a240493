"""The order of classes in exports, and the sizes and hashes of imported files.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "class_number",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_class_number"),
        sa.UniqueConstraint("name", name="uq_class_number_name"),
    )
    op.add_column("candidate", sa.Column("source_width_px", sa.Integer()))
    op.add_column("candidate", sa.Column("source_height_px", sa.Integer()))
    op.add_column("candidate", sa.Column("source_sha256", sa.String(64)))


def downgrade() -> None:
    op.drop_column("candidate", "source_sha256")
    op.drop_column("candidate", "source_height_px")
    op.drop_column("candidate", "source_width_px")
    op.drop_table("class_number")
