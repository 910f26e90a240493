"""Cache of language model answers in the database: no request is paid for twice."""

from collections.abc import Sequence
from dataclasses import asdict

from chatgenimage.db import spending
from chatgenimage.db.session import Sessions
from chatgenimage.workers.values import Exchange


class DatabaseLlmCache:
    """An LlmCache in the table `llm_answer`; each call is one transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def recall(self, key: str) -> tuple[Exchange, ...]:
        """Return the earlier conversation that answered this request, or ()."""
        with self._sessions() as session:
            found = spending.find_answer(session, key) or []
        return tuple(Exchange(**{**row, "messages": tuple(row["messages"])}) for row in found)

    def remember(self, key: str, exchanges: Sequence[Exchange]) -> None:
        """Store a conversation."""
        with self._sessions.begin() as session:
            spending.add_answer(session, key, [asdict(exchange) for exchange in exchanges])
