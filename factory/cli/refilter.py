"""`factory refilter`: judge a run again from its stored scores, with other thresholds."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from chatgenimage.db.runs import get_run
from chatgenimage.db.session import reading
from chatgenimage.db.transactions import in_transaction
from chatgenimage.db.verdicts import list_rejudgings
from chatgenimage.factory.cli.common import (
    ROWS_TOGETHER,
    AsJson,
    RunNumber,
    expected_errors,
    open_chosen_store,
    print_json,
    refuse_unused,
    stderr,
    stdout,
    takes,
)
from chatgenimage.factory.curation.refilter import limits_in_force, preview, submitted_limits
from chatgenimage.factory.curation.refilter import refilter as write_verdicts
from chatgenimage.factory.query.filters import parse_score
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.terminal.refilter_view import (
    history_record,
    history_view,
    preview_record,
    preview_view,
)
from chatgenimage.tasks.filter_rules import SCORE_NAMES, Limits


@expected_errors(ROWS_TOGETHER)
@takes(store=open_chosen_store)
def refilter(
    *,
    run: RunNumber,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SCORE=VALUE",
            help=f"A new threshold; may be repeated. Scores: {', '.join(SCORE_NAMES)}.",
        ),
    ] = None,
    submitted: Annotated[
        bool, typer.Option("--submitted", help="Begin with the thresholds of the submission.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Judge a run again by other thresholds, from its stored scores. Without --set: its history.

    Example: factory refilter 3 --set clip_similarity=0.27
    """
    wanted = dict(map(parse_score, sets or []))
    if not wanted and not submitted:
        why = "without --set or --submitted, which name the thresholds"
        refuse_unused(why, **{"yes": yes, "dry-run": dry_run})
        _show_history(store, run, as_json=as_json)
        return
    with reading(store.sessions) as session:
        found = get_run(session, run)
        base = submitted_limits(found) if submitted else limits_in_force(session, found)
        limits = {**base, **wanted}
        seen = preview(session, found, limits)
    if not as_json:
        stdout.print(preview_view(seen))
    write = not dry_run and (yes or _may_write())
    if write:
        _write(store, run, limits)
    if as_json:
        print_json(preview_record(seen, written=write))
    elif not write:
        stderr.print("nothing was written; --yes writes it.")


def _write(store: Store, run_id: int, limits: Limits) -> None:
    def write(session: Session) -> None:
        """Judge the run again, as it is now."""
        write_verdicts(session, get_run(session, run_id), limits)

    in_transaction(store.sessions, write)


def _may_write() -> bool:
    return stdout.is_terminal and typer.confirm("Write these verdicts?")


def _show_history(store: Store, run_id: int, *, as_json: bool) -> None:
    with reading(store.sessions) as session:
        submitted = submitted_limits(get_run(session, run_id))
        history = list_rejudgings(session, run_id)
        if as_json:
            print_json(history_record(submitted, history))
        else:
            stdout.print(history_view(submitted, history))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(refilter)
