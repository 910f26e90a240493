"""Remembers in the database what language models answered, so that nothing is paid for twice."""

from collections.abc import Sequence
from dataclasses import asdict

from chatgenimage.db import spending
from chatgenimage.db.session import Sessions
from chatgenimage.workers.values import Exchange


class DatabaseMemory:
    """An AnswerMemory over the table `llm_answer`; each call is a transaction of its own."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def recall(self, key: str) -> tuple[Exchange, ...]:
        """Return the conversation that answered this request before; () if there was none."""
        with self._sessions() as session:
            found = spending.find_answer(session, key) or []
        return tuple(Exchange(**{**told, "messages": tuple(told["messages"])}) for told in found)

    def remember(self, key: str, exchanges: Sequence[Exchange]) -> None:
        """Keep a conversation."""
        with self._sessions.begin() as session:
            spending.add_answer(session, key, [asdict(exchange) for exchange in exchanges])
