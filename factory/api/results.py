"""Result of a run, for Python: counts, what went wrong, and the candidates as pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, Unpack

from rich.console import Group

from chatgenimage.db.session import reading
from chatgenimage.factory.progress.display import to_html
from chatgenimage.factory.query.filters import Filters
from chatgenimage.factory.query.rows import CandidateRow
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.submission.image_import import ImportResult
from chatgenimage.factory.terminal.results_view import results_view
from chatgenimage.factory.terminal.run_summary import summary_json

SHOWN_PICTURES = 12


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that was worked off.

    Attributes:
        run_id: Its number.
        state: "done", or another state of the glossary.
        has_failed: Whether items were given up, or a label has no candidate; `factory run` ends
            with exit code 1 then. Rejected candidates are not a failure.
        made: Number of candidates by origin.
        accepted: Number of accepted candidates by origin.
        rejected: Number of rejected candidates by reason.
        problems: What went wrong, as `factory run --json` prints it.
        contact_sheet: PNG with accepted candidates; None if there are none.
        store: The rows and images.
        pictures: What `annotate` read; None for other runs.
    """

    run_id: int
    state: str
    has_failed: bool
    made: Mapping[str, int]
    accepted: Mapping[str, int]
    rejected: Mapping[str, int]
    problems: Mapping[str, Any]
    contact_sheet: Path | None
    store: Store = field(repr=False)
    pictures: ImportResult | None = None

    @classmethod
    def of(
        cls,
        store: Store,
        run_id: int,
        contact_sheet: Path | None,
        pictures: ImportResult | None = None,
    ) -> Self:
        """Return the result of a run."""
        summary = summary_json(store.settings, run_id, contact_sheet)
        return cls(
            run_id=run_id,
            state=summary["state"],
            has_failed=summary["failed"],
            made=summary["made"],
            accepted=summary["accepted"],
            rejected=summary["rejected"],
            problems=summary["problems"],
            contact_sheet=contact_sheet,
            store=store,
            pictures=pictures,
        )

    def candidates(self, **filters: Unpack[Filters]) -> Iterator[CandidateRow]:
        """Return candidates of this run; see `Store.candidates`."""
        filters["run"] = self.run_id
        return self.store.candidates(**filters)

    def _repr_html_(self) -> str:
        with reading(self.store.sessions) as session:
            table = to_html(Group(*results_view(session, self.run_id)))
        shown = self.store.pictures(run=self.run_id, verdict="accepted", limit=SHOWN_PICTURES)
        return f"<div>run {self.run_id}: {self.state}</div>{table}{shown.to_html()}"
