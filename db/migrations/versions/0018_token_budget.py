"""Budget of a run in tokens, for language models without prices.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("token_budget", sa.BigInteger()))
    op.add_column(
        "run", sa.Column("spent_tokens", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("run", sa.Column("longest_item_tokens", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("run", "longest_item_tokens")
    op.drop_column("run", "spent_tokens")
    op.drop_column("run", "token_budget")
