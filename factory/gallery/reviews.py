"""Reviews: a person judges one candidate, or many at once, by a key or a button."""

from collections.abc import Mapping

from anyio.to_thread import run_sync
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse

from chatgenimage.db.marks import add_mark, add_marks
from chatgenimage.db.session import reading
from chatgenimage.db.states import Marked
from chatgenimage.factory.curation.reviews import MARKS, name_person
from chatgenimage.factory.gallery.listing import find_near
from chatgenimage.factory.gallery.search import Search, parse_search
from chatgenimage.factory.gallery.security import FormTokens
from chatgenimage.factory.gallery.write_queue import WriteQueue
from chatgenimage.factory.query.filters import parse_number
from chatgenimage.factory.query.store import Store

MOST_AT_ONCE = 500
"""Candidates in one request."""


class ReviewRoutes:
    """Stores reviews; one of them redirects to the next candidate."""

    def __init__(self, store: Store, forms: FormTokens, writes: WriteQueue) -> None:
        self._store = store
        self._forms = forms
        self._author = name_person()
        self._writes = writes

    async def mark(self, request: Request) -> RedirectResponse:
        """Store a review; redirect to the search's next candidate, or back after an undo."""
        fields = await self._forms.read(request)
        if fields.get("mark") not in set(Marked):
            raise HTTPException(
                400, f"`mark` must be one of {', '.join(Marked)}; nothing was saved."
            )
        search = parse_search(QueryParams(fields.get("search", "").removeprefix("?")))
        candidate_id: int = request.path_params["candidate_id"]
        is_good = MARKS.get(Marked(fields["mark"]))
        await self._writes.write(
            lambda session: add_mark(session, candidate_id, is_good=is_good, author=self._author)
        )
        if is_good is None:
            return RedirectResponse(f"/candidates/{candidate_id}{search.query}", 303)
        after = await run_sync(self._find_next, candidate_id, search)
        query = search.query_with(judged=candidate_id)
        return RedirectResponse(f"/candidates/{after or candidate_id}{query}", 303)

    async def mark_many(self, request: Request) -> JSONResponse:
        """Store the reviews of many candidates, all or none.

        The fields `good`, `bad` and `none` have ids, separated by commas. The answer has the
        reviews before in the same form, so that sending them is an undo.
        """
        fields = await self._forms.read(request)
        marks = _parse_marks(fields)
        before = await self._writes.write(
            lambda session: add_marks(session, marks, author=self._author)
        )
        ids: dict[str, list[int]] = {said.value: [] for said in Marked}
        for candidate_id, is_good in before.items():
            ids[_NAMES[is_good]].append(candidate_id)
        return JSONResponse({"before": ids})

    def _find_next(self, candidate_id: int, search: Search) -> int | None:
        with reading(self._store.sessions) as session:
            return find_near(session, search, candidate_id).after


_NAMES = {MARKS.get(said): said.value for said in Marked}


def _parse_marks(fields: Mapping[str, str]) -> dict[int, bool | None]:
    """Return the reviews of a form by candidate.

    Raises:
        HTTPException: If it names no candidate, or too many.
        UnknownName: If an id is not a number.
    """
    marks: dict[int, bool | None] = {}
    for said in Marked:
        for text in filter(None, fields.get(said, "").split(",")):
            candidate_id = parse_number(said, text)
            if candidate_id is not None:
                marks[candidate_id] = MARKS.get(said)
    if not 0 < len(marks) <= MOST_AT_ONCE:
        raise HTTPException(
            400,
            f"expected 1 to {MOST_AT_ONCE} candidates, got {len(marks)}; nothing was saved.",
        )
    return marks
