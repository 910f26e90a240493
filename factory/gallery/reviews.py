"""Reviews: a person judges a candidate as good or bad by a key or a button."""

import anyio
from anyio.to_thread import run_sync
from sqlalchemy.exc import OperationalError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from chatgenimage.db.marks import add_mark
from chatgenimage.db.pagination import find_neighbours
from chatgenimage.db.session import reading, writing_soon
from chatgenimage.db.states import Marked
from chatgenimage.factory.curation.reviews import MARKS, name_person
from chatgenimage.factory.gallery.search import Search, parse_search
from chatgenimage.factory.gallery.security import FormTokens
from chatgenimage.factory.query.store import Store

AT_ONCE = 2
MOST_WAITING = 8
PATIENCE_S = 5.0
LOCKED = "the database is locked by another process; nothing was saved, try again in a moment."


class ReviewRoutes:
    """Stores reviews and redirects to the next candidate."""

    def __init__(self, store: Store, forms: FormTokens) -> None:
        self._store = store
        self._forms = forms
        self._author = name_person()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._waiting = 0

    async def mark(self, request: Request) -> RedirectResponse:
        """Store a review; redirect to the search's next candidate, or back after an undo."""
        fields = await self._forms.read(request)
        if fields.get("mark") not in set(Marked):
            raise HTTPException(
                400, f"`mark` must be one of {', '.join(Marked)}; nothing was saved."
            )
        search = parse_search(QueryParams(fields.get("search", "").removeprefix("?")))
        candidate_id: int = request.path_params["candidate_id"]
        return RedirectResponse(
            await self._queue(candidate_id, Marked(fields["mark"]), search), status_code=303
        )

    async def _queue(self, candidate_id: int, said: Marked, search: Search) -> str:
        """Write in turn: few reviews wait for a locked database, and pages still get answers.

        Raises:
            HTTPException: If the database stays locked, or too many reviews wait for it.
        """
        if self._waiting >= MOST_WAITING:
            raise HTTPException(503, LOCKED)
        self._waiting += 1
        try:
            return await run_sync(self._write, candidate_id, said, search, limiter=self._limiter)
        except OperationalError:
            raise HTTPException(503, LOCKED) from None
        finally:
            self._waiting -= 1

    def _write(self, candidate_id: int, said: Marked, search: Search) -> str:
        is_good = MARKS.get(said)
        with writing_soon(self._store.sessions, PATIENCE_S) as session:
            add_mark(session, candidate_id, is_good=is_good, author=self._author)
        if is_good is None:
            return f"/candidates/{candidate_id}{search.query}"
        with reading(self._store.sessions) as session:
            after = find_neighbours(session, search.wanted, candidate_id, search.ranking).after
        return f"/candidates/{after or candidate_id}{search.query_with(judged=candidate_id)}"
