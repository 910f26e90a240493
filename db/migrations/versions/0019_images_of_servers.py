"""Images of servers: an answer in the cache may be a stored image.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("llm_answer", sa.Column("image_sha256", sa.String(64)))
    op.create_index("ix_llm_answer_image_sha256", "llm_answer", ["image_sha256"])


def downgrade() -> None:
    op.drop_index("ix_llm_answer_image_sha256", "llm_answer")
    op.drop_column("llm_answer", "image_sha256")
