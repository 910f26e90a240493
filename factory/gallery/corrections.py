"""Corrections: a person renames, moves, deletes or adds an object of a candidate."""

from collections.abc import Mapping

from anyio.to_thread import run_sync
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from chatgenimage.db.object_reviews import Box, ObjectChange, review_objects
from chatgenimage.db.session import reading
from chatgenimage.db.states import ObjectAction
from chatgenimage.factory.curation.reviews import name_person
from chatgenimage.factory.gallery.listing import find_near
from chatgenimage.factory.gallery.search import Search, parse_search
from chatgenimage.factory.gallery.security import FormTokens
from chatgenimage.factory.gallery.write_queue import WriteQueue
from chatgenimage.factory.query.filters import parse_bound
from chatgenimage.factory.query.store import Store

NEW = "new"
SAVE = "save"
SIDES = ("x_min", "y_min", "x_max", "y_max")
OTHER_ACTIONS = (ObjectAction.DELETE, ObjectAction.CHECK, ObjectAction.UNDO)


class CorrectionRoutes:
    """Stores corrections of objects."""

    def __init__(self, store: Store, forms: FormTokens, writes: WriteQueue) -> None:
        self._store = store
        self._forms = forms
        self._author = name_person()
        self._writes = writes

    async def correct(self, request: Request) -> RedirectResponse:
        """Store a correction; redirect to the candidate, or to the next one if all is right."""
        fields = await self._forms.read(request)
        candidate_id: int = request.path_params["candidate_id"]
        search = parse_search(QueryParams(fields.get("search", "").removeprefix("?")))
        change = parse_change(fields)
        await self._writes.write(
            lambda session: review_objects(session, candidate_id, change, self._author).id
        )
        is_done = change.action is ObjectAction.CHECK
        after = await run_sync(self._find_next, candidate_id, search) if is_done else None
        fragment = "#editing" if fields.get("edit") == "on" else ""
        return RedirectResponse(f"/candidates/{after or candidate_id}{search.query}{fragment}", 303)

    def _find_next(self, candidate_id: int, search: Search) -> int | None:
        with reading(self._store.sessions) as session:
            return find_near(session, search, candidate_id).after


def parse_change(fields: Mapping[str, str]) -> ObjectChange:
    """Return the change that a form asks for.

    Raises:
        HTTPException: If there is no such action, or a box lacks a side.
        UnknownName: If a side is not a number.
    """
    action, key = fields.get("action"), fields.get("object", NEW)
    if action != SAVE and action not in set(OTHER_ACTIONS):
        known = ", ".join((SAVE, *OTHER_ACTIONS))
        raise HTTPException(400, f"`action` must be one of {known}; nothing was saved.")
    if action != SAVE:
        return ObjectChange(ObjectAction(action), key)
    label, box = fields.get("label", "").replace("\0", ""), _parse_box(fields)
    if key == NEW:
        return ObjectChange(ObjectAction.ADD, "", label, box)
    return ObjectChange(ObjectAction.CHANGE, key, label, box)


def _parse_box(fields: Mapping[str, str]) -> Box | None:
    x_min, y_min, x_max, y_max = (parse_bound(name, fields.get(name)) for name in SIDES)
    if x_min is y_min is x_max is y_max is None:
        return None
    if x_min is None or y_min is None or x_max is None or y_max is None:
        raise HTTPException(400, "a box needs all four sides; nothing was saved.")
    return (x_min, y_min, x_max, y_max)
