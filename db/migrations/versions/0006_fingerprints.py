"""Fingerprints and near-duplicates.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fingerprint",
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name="fk_fingerprint_candidate_id_candidate"
        ),
        sa.PrimaryKeyConstraint("candidate_id", name="pk_fingerprint"),
    )
    op.execute(  # valid on both databases, and SQLite need not rebuild the table
        "ALTER TABLE candidate ADD COLUMN duplicate_of_id INTEGER "
        "CONSTRAINT fk_candidate_duplicate_of_id_candidate REFERENCES candidate (id)"
    )
    op.create_index("ix_candidate_duplicate_of_id", "candidate", ["duplicate_of_id"])


def downgrade() -> None:
    op.drop_index("ix_candidate_duplicate_of_id", "candidate")
    op.drop_column("candidate", "duplicate_of_id")
    op.drop_table("fingerprint")
