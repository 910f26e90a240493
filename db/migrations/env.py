"""Alembic's entry point: runs the migrations on the connection of `db.session.upgrade`."""

from alembic import context

from chatgenimage.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot ALTER most things in place
)
with context.begin_transaction():
    context.run_migrations()
