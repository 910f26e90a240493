"""Visual answers: questions about a candidate to a model that sees.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visual_answer",
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("model", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"],
            ["candidate.id"],
            name=op.f("fk_visual_answer_candidate_id_candidate"),
        ),
        sa.PrimaryKeyConstraint("candidate_id", "name", "index", name=op.f("pk_visual_answer")),
    )


def downgrade() -> None:
    op.drop_table("visual_answer")
