"""Export a dataset: one pass to count and plan, one pass to write samples, then the card."""

import hashlib
import heapq
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from sqlalchemy.orm import Session

from chatgenimage.db.exporting import Head, iter_heads, list_classes, list_runs_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter, iter_candidates, list_candidates
from chatgenimage.db.session import Sessions, reading
from chatgenimage.factory.curation.refilter import limits_in_force
from chatgenimage.factory.curation.reviews import marks_csv
from chatgenimage.factory.errors import LibraryMissing, NothingFound, SettingsError
from chatgenimage.factory.export.base import Format, Masks, Plan, Writer
from chatgenimage.factory.export.card import Facts, write_card
from chatgenimage.factory.export.folder import Folder, growing, refuse_to_replace, write_manifest
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import Splits, group_of
from chatgenimage.factory.reports.contact_sheet import draw_sheet

LONG_EXPORT = 200
SHOWN_SAMPLES = 12
SAMPLES_FILE = "samples.png"


@dataclass(frozen=True, slots=True)
class Order:
    """A request for an export.

    Attributes:
        out_dir: The folder to create.
        command: The command that repeats it.
        overwrite: Whether an earlier export may be replaced.
    """

    format: Format
    out_dir: Path
    wanted: CandidateFilter
    splits: Splits = field(default_factory=Splits)
    masks: Masks | None = None
    command: str = ""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """Result of an export."""

    folder: Path
    format: str
    images: int
    annotations: int
    classes: int
    splits: dict[str, int]

    def __str__(self) -> str:
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        return (
            f"{self.folder}: {self.images} images ({splits}), {self.annotations} annotations, "
            f"{self.classes} classes"
        )


@dataclass
class _Survey:
    """The first pass: counts, and a fingerprint to detect an export that can be continued."""

    order: Order
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Number of samples by split, label and origin."""
    marks: Counter[tuple[str | None, bool]] = field(default_factory=Counter)
    """Number of reviewed samples, by verdict and whether the review is good."""
    run_seeds: dict[int, int] = field(default_factory=dict)
    made_at: float = 0.0
    shown: list[tuple[int, int]] = field(default_factory=list)
    """A heap of candidates to draw, chosen by the hash of their image."""

    def run(self, session: Session) -> str:
        """Read all heads and return a fingerprint of the dataset to write."""
        order = self.order
        content = [order.format.name, order.masks, str(order.splits), order.splits.seed]
        digest = hashlib.sha256(json.dumps(content).encode())
        for head in iter_heads(session, order.wanted):
            if _takes(order.format, head.parent_id):
                self._take(head)
                known = (head.candidate_id, head.sha256, head.label, head.verdict, head.caption)
                digest.update(json.dumps((*known, head.is_good)).encode())
        return digest.hexdigest()

    def _take(self, head: Head) -> None:
        split = self.order.splits.of(group_of(head.run_seed, head.label, head.key))
        self.counts[split, head.label, head.origin] += 1
        if head.is_good is not None:
            self.marks[head.verdict, head.is_good] += 1
        self.run_seeds[head.run_id] = head.run_seed
        self.made_at = max(self.made_at, head.created_at)
        heapq.heappush(self.shown, (-int(head.sha256[:12], 16), head.candidate_id))
        if len(self.shown) > SHOWN_SAMPLES:
            heapq.heappop(self.shown)

    def plan(self, session: Session) -> Plan:
        """Return the plan for the writer."""
        totals: Counter[str] = Counter()
        for (split, _, _), count in self.counts.items():
            totals[split] += count
        return Plan(
            classes=list_classes(session, self.order.wanted),
            counts={name: totals[name] for name in self.order.splits.names if totals[name]},
            masks=self.order.masks or "rle",
            made_at=self.made_at,
            out_name=self.order.out_dir.name,
        )


def export(sessions: Sessions, images: ImageStore, order: Order) -> Exported:
    """Write candidates as a dataset; the folder is complete or absent.

    Samples are streamed: memory does not grow with their number. An interrupted export continues
    when it is requested again.

    Raises:
        SettingsError: If the format does not support the requested masks.
        LibraryMissing: If the format needs a library that is not installed.
        CannotWrite: If `out_dir` has contents that may not be replaced, or writing fails.
        NothingFound: If no candidate matches.
        ImageMissing: If an image is no longer in the store.
        ImageBroken: If an image's file is damaged.
    """
    order = replace(order, out_dir=order.out_dir.resolve(), masks=_masks_of(order))
    _require(order.format)
    refuse_to_replace(order.out_dir, overwrite=order.overwrite)
    with reading(sessions) as session:
        survey = _Survey(order)
        fingerprint = survey.run(session)
        if not survey.counts:
            raise NothingFound(_nothing(order.format))
        with growing(order.out_dir, fingerprint) as folder:
            return _write(session, images, folder, survey)


def _write(session: Session, images: ImageStore, folder: Folder, survey: _Survey) -> Exported:
    """Write the samples, then the card and the manifest."""
    order, plan = survey.order, survey.plan(session)
    writer = order.format.open(folder, plan)
    annotations = _write_samples(session, images, survey, writer)
    writer.close()
    _draw_samples(session, images, folder, survey.shown)
    runs = list_runs_of(session, survey.run_seeds)
    limits = {run.id: limits_in_force(session, run) for run in runs}
    facts = Facts(order.format, plan, survey.counts, runs, limits, order.command, survey.marks)
    marks = {run.id: marks_csv(session, run) for run in runs} if _asks_marks(order.wanted) else {}
    write_card(folder, replace(facts, marks_csv=marks))
    done = Exported(
        folder=order.out_dir,
        format=order.format.name,
        images=survey.counts.total(),
        annotations=annotations,
        classes=len(plan.classes),
        splits=dict(plan.counts),
    )
    known = {
        "folder": order.out_dir.name,
        "command": order.command,
        "class_names": plan.classes,
    }
    write_manifest(folder, asdict(done) | known)
    return done


def _masks_of(order: Order) -> Masks | None:
    known = order.format.masks
    if order.masks is None:
        return known[0] if known else None
    if order.masks in known:
        return order.masks
    choices = f"supports {' or '.join(known)}" if known else "has no option for masks"
    raise SettingsError(f"--masks {order.masks}: the format {order.format.name} {choices}.")


def _require(wanted: Format) -> None:
    missing = [name for name in wanted.modules if importlib.util.find_spec(name) is None]
    if missing:
        raise LibraryMissing(
            f"the format {wanted.name} needs {', '.join(missing)}, which is not installed. "
            "Install the libraries of all formats: pip install 'chatgenimage-factory[export]', "
            f"or only this one: pip install {' '.join(missing)}"
        )


def _asks_marks(wanted: CandidateFilter) -> bool:
    return wanted.heeds_marks or wanted.marked is not None


def _takes(wanted: Format, parent_id: int | None) -> bool:
    return parent_id is not None or not wanted.needs_parent


def _nothing(wanted: Format) -> str:
    kind = "edited or filled candidate" if wanted.needs_parent else "candidate"
    return f"no {kind} matches, nothing was written; try `factory query`."


def _write_samples(session: Session, images: ImageStore, survey: _Survey, writer: Writer) -> int:
    """Write every sample and return how many annotations they have."""
    order = survey.order
    annotations = 0
    total = survey.counts.total()
    for candidate in _watched(iter_candidates(session, order.wanted), total):
        if _takes(order.format, candidate.parent_id):
            seed = survey.run_seeds[candidate.run_id]
            split = order.splits.of(group_of(seed, candidate.label.name, candidate.key))
            writer.add(Sample(candidate, split, images))
            annotations += len(candidate.annotations)
    return annotations


def _draw_samples(
    session: Session, images: ImageStore, folder: Folder, shown: list[tuple[int, int]]
) -> None:
    chosen = list_candidates(session, [candidate_id for _, candidate_id in shown])
    chosen.sort(key=lambda candidate: (candidate.label.name, candidate.id))
    sheet = draw_sheet(images, chosen, f"{len(chosen)} of the samples")
    sheet.save(folder.place(SAMPLES_FILE), format="PNG")


def _watched(candidates: Iterable[Candidate], total: int) -> Iterable[Candidate]:
    console = Console(stderr=True)
    return track(
        candidates,
        "Exporting",
        total=total,
        console=console,
        transient=True,
        disable=total < LONG_EXPORT or not console.is_terminal,
    )
