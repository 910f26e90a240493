"""Indexes by which candidates are sorted by confidence and area of their objects.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("confidence", "area_px"):
        op.create_index(
            f"ix_annotation_{column}_candidate_id", "annotation", [column, "candidate_id"]
        )


def downgrade() -> None:
    for column in ("area_px", "confidence"):
        op.drop_index(f"ix_annotation_{column}_candidate_id", "annotation")
