"""Items without an index of their states.

Revision ID: 0026
Revises: 0025

Every query finds items by their step. The index cost time at each change of a state: PostgreSQL
had to add the changed row to all other indexes of the table, too.
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_item_state", table_name="item")


def downgrade() -> None:
    op.create_index("ix_item_state", "item", ["state"])
