#!/usr/bin/env bash
# alembic 1.20.1, SQLAlchemy 2.1.9, SQLite: a migration that widens one column removes AUTOINCREMENT and NOCASE from others.
#
# Guess: `batch_alter_table` copies a table to change one column; the other columns, keys and indexes stay as they were
#   declared, and what cannot be copied is an error or a warning, as it is for CHECK constraints without a name.
# What happens: the copy is made from what SQLAlchemy reads back from the database, and it does not read AUTOINCREMENT,
#   collations of columns, and the order of an index. All three are gone afterwards, also for a table that SQLAlchemy
#   itself declared with `sqlite_autoincrement=True` and `String(collation="NOCASE")`. Nothing is reported.
# What a user meets: the id of a deleted row is given to the next one, so that files, logs or messages that have the old id
#   mean another row; a unique name without regard to case now exists twice. New databases made by `create_all` still
#   behave, so that tests pass and only upgraded installations differ.
# What to do: pass `table_kwargs={"sqlite_autoincrement": True}`, or the whole table as `copy_from`. Decision here: no table
#   has AUTOINCREMENT, a collation or an index with an order; triggers are made again by the migration that copies a table.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq alembic==1.20.1 sqlalchemy==2.1.9

"$python" -W error - <<'PYTHON'
import sys

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

TABLE = sa.Table(
    "label",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("word", sa.String(collation="NOCASE"), unique=True),
    sa.Column("note", sa.String(20)),
    sa.Index("newest", sa.text("note DESC")),
    sqlite_autoincrement=True,
)


def follow(migrate, **options):
    """Return what is declared after a migration, and what a deleted id and the word "FOX" become."""
    with sa.create_engine("sqlite://").begin() as connection:
        TABLE.metadata.create_all(connection)
        connection.execute(TABLE.insert(), [{"word": "fox"}, {"word": "owl"}])
        if migrate:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("label", **options) as batch:
                batch.alter_column("note", type_=sa.String(200))
        schema = " ".join(connection.scalars(sa.text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")))
        kept = [word for word in ("AUTOINCREMENT", "NOCASE", "DESC") if word in schema]
        connection.execute(sa.text("DELETE FROM label WHERE word = 'owl'"))
        connection.execute(sa.text("INSERT INTO label (word) VALUES ('cat')"))
        new = connection.scalar(sa.text("SELECT id FROM label WHERE word = 'cat'"))
        try:
            connection.execute(sa.text("INSERT INTO label (word) VALUES ('FOX')"))
            second = "accepted"
        except sa.exc.IntegrityError:
            second = "refused"
    return kept, new, second


before, after = follow(migrate=False), follow(migrate=True)
helped = follow(migrate=True, copy_from=TABLE)
for name, (kept, new, second) in (("made by create_all", before), ("after the migration", after), ("with copy_from", helped)):
    print(f"{name}: schema has {kept}; after row 2 is deleted the next row is {new}; FOX next to fox is {second}")
if before != (["AUTOINCREMENT", "NOCASE", "DESC"], 3, "refused"):
    sys.exit("changed: the declared table")
if after != ([], 2, "accepted"):
    sys.exit("changed: the migrated table")
if helped[:1] + helped[2:] != (["AUTOINCREMENT", "NOCASE", "DESC"], "refused"):
    sys.exit("changed: copy_from")
PYTHON
