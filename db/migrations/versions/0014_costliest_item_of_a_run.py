"""Cost of a run's costliest item: how much may be asked for before the budget is spent.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("costliest_item", sa.Float(53)))


def downgrade() -> None:
    op.drop_column("run", "costliest_item")
