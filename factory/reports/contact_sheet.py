"""Contact sheet: accepted candidates of a run in one image, each next to its parent."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from PIL import Image

from chatgenimage.db.images import ImageStore
from chatgenimage.db.preview import list_first_images
from chatgenimage.db.queries import list_candidates
from chatgenimage.db.runs import AcceptedCandidate, get_run, list_accepted
from chatgenimage.db.session import Sessions, connect, reading
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.atomic_write import write_file
from chatgenimage.factory.reports.sheet_drawing import draw_sheet
from chatgenimage.factory.settings.model import Settings

TURNS = (
    *(Origin.FILLED, Origin.EDITED, Origin.FILLED, Origin.EDITED),
    *(Origin.GENERATED, Origin.IMPORTED),
)
"""Order of origins when a label's candidates are chosen: derived ones before initial ones."""


def default_path(settings: Settings, run_id: int) -> Path:
    """Return the default path of a run's contact sheet."""
    return settings.data_dir / f"run-{run_id}-contact-sheet.png"


def write_contact_sheet(  # noqa: PLR0913  # from where, what, and to where
    sessions: Sessions,
    images: ImageStore,
    path: Path,
    *,
    run_id: int,
    limit: int = 24,
    data_dir: Path | None = None,
) -> int:
    """Draw a run's accepted candidates as PNG; return how many (0: nothing is written).

    Raises:
        RowNotFound: If there is no such run.
        CannotWrite: If the file cannot be written.
    """
    with reading(sessions) as session:
        run = get_run(session, run_id)
        accepted = list_accepted(session, run.id)
        candidates = list_candidates(session, choose_shown(accepted, limit))
    if not candidates:
        return 0
    asked = [label.name for label in run.labels]
    title = f"Run {run.id}: {len(candidates)} of {len(accepted)} accepted candidates"
    sheet = _to_png(draw_sheet(images, candidates, title, asked))
    write_file(path, sheet, data_dir=data_dir)
    return len(candidates)


def write_preview(
    settings: Settings, images: ImageStore, path: Path, run_id: int, limit: int
) -> int:
    """Draw a run's first images as PNG, accepted or not; return how many (0: nothing is written).

    Raises:
        CannotWrite: If the file cannot be written.
    """
    with reading(connect(settings.resolved_database_url())) as session:
        run = get_run(session, run_id)
        asked = [label.name for label in run.labels]
        candidates = list_candidates(session, list_first_images(session, run_id, limit))
    if not candidates:
        return 0
    accepted = sum(candidate.verdict == Verdict.ACCEPTED for candidate in candidates)
    title = f"Preview of run {run_id}: {len(candidates)} first images, {accepted} accepted"
    sheet = _to_png(draw_sheet(images, candidates, title, asked))
    write_file(path, sheet, data_dir=settings.data_dir)
    return len(candidates)


def choose_shown(accepted: Sequence[AcceptedCandidate], limit: int) -> list[int]:
    """Choose ids to show, by label: equal shares, mixed origins, different parents.

    Args:
        accepted: Accepted candidates in order of label and key.
        limit: Largest number of ids.
    """
    by_label: dict[str, list[AcceptedCandidate]] = defaultdict(list)
    for candidate in accepted:
        by_label[candidate.label].append(candidate)
    queues = {label: list(_in_turn(found)) for label, found in by_label.items()}
    shares: Counter[str] = Counter()
    for label in cycle(queues):
        if shares.total() >= min(limit, len(accepted)):
            break
        shares[label] += shares[label] < len(queues[label])
    return [
        candidate.candidate_id
        for label, queue in queues.items()
        for candidate in sorted(queue[: shares[label]], key=_by_origin)
    ]


def _in_turn(candidates: Sequence[AcceptedCandidate]) -> Iterator[AcceptedCandidate]:
    """Yield a label's candidates in the order in which they are chosen."""
    waiting = {origin: list(_varied(candidates, origin)) for origin in Origin}
    turns = cycle(TURNS)
    while any(waiting.values()):
        if queue := waiting[next(turns)]:
            yield queue.pop(0)


def _varied(candidates: Sequence[AcceptedCandidate], origin: Origin) -> list[AcceptedCandidate]:
    """Return an origin's candidates: first one child of each parent, then a second of each."""
    seen: Counter[int | None] = Counter()
    order: list[tuple[int, AcceptedCandidate]] = []
    for candidate in candidates:
        if candidate.origin == origin:
            order.append((seen[candidate.parent_id], candidate))
            seen[candidate.parent_id] += candidate.parent_id is not None
    return [candidate for _, candidate in sorted(order, key=lambda pair: pair[0])]


def _by_origin(candidate: AcceptedCandidate) -> int:
    return TURNS.index(Origin(candidate.origin))


def _to_png(sheet: Image.Image) -> bytes:
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")  # `optimize` takes seven times as long and saves 5 %
    return buffer.getvalue()
