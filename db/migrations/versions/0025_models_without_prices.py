"""Keys of models without prices, time limits and retries, which change no image.

Revision ID: 0025
Revises: 0024

Workers and `factory resume` take a run by its key, so that of each run is made again from the
profile that it stores.
"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

RUN = sa.table(
    "run",
    sa.column("id", sa.Integer()),
    sa.column("models_key", sa.String()),
    sa.column("profile", sa.JSON()),
)
NO_RESULT = ("prompt_price", "completion_price", "price_per_image", "timeout_s", "max_retries")


def upgrade() -> None:
    _write_keys(NO_RESULT)


def downgrade() -> None:
    _write_keys(())


def _write_keys(left_out: tuple[str, ...]) -> None:
    connection = op.get_bind()
    for run_id, profile in connection.execute(sa.select(RUN.c.id, RUN.c.profile)).all():
        if "families" in profile:
            key = _key_of(profile, left_out)
            connection.execute(sa.update(RUN).where(RUN.c.id == run_id).values(models_key=key))


def _key_of(profile: dict[str, Any], left_out: tuple[str, ...]) -> str:
    families = {
        key: {name: value for name, value in family.items() if name not in left_out}
        for key, family in profile["families"].items()
    }
    plugins = [profile["plugins"]] if "plugins" in profile else []
    text = "".join(json.dumps(part, sort_keys=True) for part in (families, *plugins))
    return hashlib.sha256(text.encode()).hexdigest()
