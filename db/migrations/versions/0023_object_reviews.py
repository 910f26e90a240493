"""Corrections of objects by people (table `annotation_review`).

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE = "annotation_review"


def upgrade() -> None:
    sides = (sa.Column(name, sa.Float(53)) for name in ("x_min", "y_min", "x_max", "y_max"))
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("annotation_id", sa.Integer()),
        sa.Column("added_id", sa.Integer()),
        sa.Column("undoes_id", sa.Integer()),
        sa.Column("label", sa.String(200)),
        *sides,
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        *(
            sa.ForeignKeyConstraint([column], [target], name=f"fk_{TABLE}_{column}_{table}")
            for column, table, target in (
                ("candidate_id", "candidate", "candidate.id"),
                ("annotation_id", "annotation", "annotation.id"),
                ("added_id", TABLE, f"{TABLE}.id"),
                ("undoes_id", TABLE, f"{TABLE}.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
    )
    op.create_index(f"ix_{TABLE}_candidate_id", TABLE, ["candidate_id"])
    op.create_index(f"ix_{TABLE}_annotation_id", TABLE, ["annotation_id"])
    op.create_index(f"ix_{TABLE}_current", TABLE, ["is_current", "label"])


def downgrade() -> None:
    op.drop_table(TABLE)
