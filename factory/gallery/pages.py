"""Pages of the gallery: runs, a run, its candidates, a candidate."""

import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse

from chatgenimage.db import pagination
from chatgenimage.db.domains import list_coverage, list_domains, to_matrix
from chatgenimage.db.label_progress import list_first_labels
from chatgenimage.db.queries import count_candidates, get_candidate, list_candidates
from chatgenimage.db.reporting import count_proposals
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.runs import (
    count_funnel,
    count_funnel_of_labels,
    count_labels,
    get_run,
    list_runs,
)
from chatgenimage.db.session import reading
from chatgenimage.db.states import Marked, Origin, RunState, Verdict
from chatgenimage.factory.gallery.candidate_view import view_candidate
from chatgenimage.factory.gallery.drawing import draw_boxes
from chatgenimage.factory.gallery.listing import find_near, list_similar
from chatgenimage.factory.gallery.progress import WatchedRuns
from chatgenimage.factory.gallery.rendering import Renderer
from chatgenimage.factory.gallery.search import (
    LABEL_ORDERS,
    SORTS,
    Search,
    parse_label_order,
    parse_search,
)
from chatgenimage.factory.gallery.security import FormTokens
from chatgenimage.factory.problems import problem_lines
from chatgenimage.factory.query.filters import parse_number
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.reports.funnel import count_funnel_steps
from chatgenimage.tasks.filter_rules import REASONS, SCORE_NAMES

MOST_RUNS = 20
SAMPLES = 12
MOST_RELATIVES = 16
PAGE_CANDIDATES = 60
MOST_COUNTED = 10_000
MOST_LABELS = 500
"""Suggested while a label is typed in."""
SHOWN_LABELS = 100
"""On the page of a run, which is loaded again every three seconds."""
UNFINISHED = {RunState.ACTIVE, RunState.PAUSED}


class Pages:
    """Pages of a store."""

    def __init__(self, store: Store, renderer: Renderer, forms: FormTokens) -> None:
        self._store = store
        self._render = renderer.page
        self._forms = forms
        self._watched = WatchedRuns(store.sessions)

    def runs(self, _: Request) -> HTMLResponse:
        """Return the latest runs with some of their accepted images."""
        with reading(self._store.sessions) as session:
            found = list_runs(session, MOST_RUNS)
            samples = {
                run.run_id: list_candidates(
                    session, pagination.list_samples(session, run.run_id, SAMPLES)
                )
                for run in found
            }
        return self._render("runs.html", runs=found, samples=samples, now=time.time())

    def run(self, request: Request) -> HTMLResponse:
        """Return a run with its progress and results."""
        run_id: int = request.path_params["run_id"]
        with reading(self._store.sessions) as session:
            run = get_run(session, run_id, with_labels=False)
            is_unfinished = run.state in UNFINISHED
            order = parse_label_order(request.query_params.get("sort"))
            ids = list_first_labels(session, run_id, order, SHOWN_LABELS)
            label_count = count_labels(session, run_id)
            stages = count_funnel(session, run_id)
            left = (
                {}
                if is_unfinished
                else count_funnel_steps(stages, count_proposals(session, run_id))
            )
            show = pagination.list_newest if is_unfinished else pagination.list_samples
            return self._render(
                "run.html",
                run=run,
                is_unfinished=is_unfinished,
                snapshot=self._watched.look(run_id) if is_unfinished else None,
                stages=stages,
                funnel=left,
                by_label=count_funnel_of_labels(session, run_id, ids),
                order=order,
                orders=LABEL_ORDERS,
                coverage=to_matrix(list_coverage(session, run_id, SHOWN_LABELS)),
                labels_left=label_count - len(ids),
                label_count=label_count,
                shown=list_candidates(session, show(session, run_id, SAMPLES)),
                problems=problem_lines(run_id, find_problems(session, run_id))[1:],
                now=time.time(),
            )

    def candidates(self, request: Request) -> HTMLResponse:
        """Return a page of the candidates that match the query string."""
        search = parse_search(request.query_params)
        after = parse_number("after", request.query_params.get("after"))
        with reading(self._store.sessions) as session:
            similarities = list_similar(session, search)
            ids = list(similarities) if search.like else _list_ids(session, search, after)
            shown = list_candidates(session, ids[:PAGE_CANDIDATES])
            page = self._render(
                "candidates.html",
                search=search,
                candidates=shown,
                next_after=shown[-1].id if len(ids) > PAGE_CANDIDATES else None,
                is_first=after is None,
                count=(
                    f"{len(shown)} similar"
                    if search.like
                    else _describe_count(session, search, after)
                ),
                labels=pagination.list_label_names(session, search.wanted.run_id, MOST_LABELS),
                domains=list_domains(session, search.wanted.run_id),
                choices={"verdict": Verdict, "origin": Origin, "reason": REASONS, "marked": Marked},
                scores=SCORE_NAMES,
                similarities=similarities,
                sorts=SORTS,
                form=self._forms.sign(),
                boxes={candidate.id: draw_boxes(candidate) for candidate in shown},
            )
        page.headers["HX-Push-Url"] = f"/candidates{search.query}"
        return page

    def candidate(self, request: Request) -> HTMLResponse:
        """Return a candidate with all its data and the review form."""
        candidate_id: int = request.path_params["candidate_id"]
        search = parse_search(request.query_params)
        judged = parse_number("judged", request.query_params.get("judged"))
        with reading(self._store.sessions) as session:
            detail = get_candidate(session, candidate_id)
            siblings = pagination.list_siblings(session, detail.candidate, MOST_RELATIVES)
            repeats = pagination.list_repeats(session, detail.candidate, MOST_RELATIVES)
            return self._render(
                "candidate.html",
                search=search,
                detail=detail,
                candidate=detail.candidate,
                view=view_candidate(detail.candidate),
                siblings=list_candidates(session, siblings),
                repeats=list_candidates(session, repeats),
                labels=pagination.list_label_names(session, detail.candidate.run_id, MOST_LABELS),
                neighbours=find_near(session, search, candidate_id),
                judged=next(iter(list_candidates(session, [judged] if judged else [])), None),
                form=self._forms.sign(),
            )


def _list_ids(session: Session, search: Search, after: int | None) -> Sequence[int]:
    """Return the ids of a page and one more, if there is one."""
    limit, ranking = PAGE_CANDIDATES + 1, search.ranking
    return pagination.list_page(session, search.wanted, after=after, limit=limit, ranking=ranking)


def _describe_count(session: Session, search: Search, after: int | None) -> str:
    """Return the number of candidates; empty on later pages, which do not show it."""
    if after is not None:
        return ""
    wanted = replace(search.wanted, limit=MOST_COUNTED + 1)
    count = count_candidates(session, wanted)
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
