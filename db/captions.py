"""Full-text search over captions: an FTS5 table on SQLite, a GIN index on PostgreSQL."""

import re
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    column,
    false,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

WORD = re.compile(r"[^\W_]+")
SQLITE_QUERY = "'\"' || replace({words}, ' ', '\"* \"') || '\"*'"
POSTGRES_QUERY = "to_tsquery('simple', replace({words}, ' ', ':* & ') || ':*')"

Id = InstrumentedAttribute[int]
Caption = InstrumentedAttribute[str | None]


class _HasWords(FunctionElement[bool]):
    """SQL condition: the caption of the current row has all the words."""

    name = "caption_has_words"
    type = Boolean()
    inherit_cache = True


def has_words(candidate_id: Id, caption: Caption, text: str) -> ColumnElement[bool]:
    """Return the condition that, for each word of `text`, a caption word starts with it."""
    words = WORD.findall(text)
    return _HasWords(candidate_id, caption, literal(" ".join(words))) if words else false()


def with_words(dialect: str, candidate_id: Id, caption: Caption, text: str) -> Select[int]:
    """Return a query for the ids of all candidates with these words; it uses the index."""
    words = WORD.findall(text)
    if dialect != "sqlite" or not words:
        return select(candidate_id).where(has_words(candidate_id, caption, text))
    index = table("caption_text", column("rowid", Integer))
    asked = " ".join(f'"{word}"*' for word in words)
    return select(index.c.rowid).where(literal_column("caption_text").op("MATCH")(asked))


@compiles(_HasWords, "sqlite")
def _has_words_sqlite(element: _HasWords, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    candidate_id, _, words = (compiler.process(part, **options) for part in element.clauses)
    query = SQLITE_QUERY.format(words=words)
    found = f"SELECT rowid FROM caption_text WHERE caption_text MATCH {query}"  # noqa: S608  # bound
    # The plus stops SQLite from starting with the full-text matches, which need a sort afterwards.
    return f"+{candidate_id} IN ({found})"


@compiles(_HasWords, "postgresql")
def _words_postgresql(element: _HasWords, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    _, caption, words = (compiler.process(part, **options) for part in element.clauses)
    return f"to_tsvector('simple', {caption}) @@ {POSTGRES_QUERY.format(words=words)}"
