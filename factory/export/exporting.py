"""Export a dataset: one pass to count and plan, one pass to write samples, then the card."""

import hashlib
import heapq
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich.progress import track
from sqlalchemy.orm import Session

from chatgenimage.db.exporting import ExportKey, iter_export_keys, list_classes, list_runs_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter, iter_candidates, list_candidates
from chatgenimage.db.session import Sessions, reading
from chatgenimage.factory.curation.refilter import limits_in_force
from chatgenimage.factory.curation.reviews import marks_csv
from chatgenimage.factory.errors import LibraryMissing, NothingFound, SettingsError
from chatgenimage.factory.export.base import Format, Masks, Plan, Writer
from chatgenimage.factory.export.card import CardContent, write_card
from chatgenimage.factory.export.folder import Folder, growing, refuse_to_replace, write_manifest
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import Splits, group_of
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.query.filters import check_stored_names
from chatgenimage.factory.reports.contact_sheet import draw_sheet

LONG_EXPORT = 200
SHOWN_SAMPLES = 12
SAMPLES_FILE = "samples.png"


@dataclass(frozen=True, slots=True)
class ExportRequest:
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
class ExportResult:
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
class _FirstPass:
    """The first pass: counts, and a fingerprint to detect an export that can be continued."""

    request: ExportRequest
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Number of samples by split, label and origin."""
    marks: Counter[tuple[str | None, bool]] = field(default_factory=Counter)
    """Number of reviewed samples, by verdict and whether the review is good."""
    run_seeds: dict[int, int] = field(default_factory=dict)
    made_at: float = 0.0
    shown: list[tuple[int, int]] = field(default_factory=list)
    """A heap of candidates to draw, chosen by the hash of their image."""

    def run(self, session: Session) -> str:
        """Read all export keys and return a fingerprint of the dataset to write."""
        request = self.request
        content = [request.format.name, request.masks, str(request.splits), request.splits.seed]
        digest = hashlib.sha256(json.dumps(content).encode())
        for key in iter_export_keys(session, request.wanted):
            if _takes(request.format, key.parent_id):
                self._take(key)
                known = (key.candidate_id, key.sha256, key.label, key.verdict, key.caption)
                digest.update(json.dumps((*known, key.is_good)).encode())
        return digest.hexdigest()

    def _take(self, key: ExportKey) -> None:
        split = self.request.splits.of(group_of(key.run_seed, key.label, key.key))
        self.counts[split, key.label, key.origin] += 1
        if key.is_good is not None:
            self.marks[key.verdict, key.is_good] += 1
        self.run_seeds[key.run_id] = key.run_seed
        self.made_at = max(self.made_at, key.created_at)
        heapq.heappush(self.shown, (-int(key.sha256[:12], 16), key.candidate_id))
        if len(self.shown) > SHOWN_SAMPLES:
            heapq.heappop(self.shown)

    def plan(self, session: Session) -> Plan:
        """Return the plan for the writer."""
        totals: Counter[str] = Counter()
        for (split, _, _), count in self.counts.items():
            totals[split] += count
        return Plan(
            classes=list_classes(session, self.request.wanted),
            counts={name: totals[name] for name in self.request.splits.names if totals[name]},
            masks=self.request.masks or "rle",
            made_at=self.made_at,
            out_name=self.request.out_dir.name,
        )


def export(sessions: Sessions, images: ImageStore, request: ExportRequest) -> ExportResult:
    """Write candidates as a dataset; the folder is complete or absent.

    Samples are streamed: memory does not grow with their number. An interrupted export continues
    when it is requested again.

    Raises:
        SettingsError: If the format does not support the requested masks.
        LibraryMissing: If the format needs a library that is not installed.
        CannotWrite: If `out_dir` has contents that may not be replaced, or writing fails.
        NothingFound: If no candidate matches.
        RowNotFound: If the filter names a run that does not exist.
        UnknownName: If it names a label that no run was asked for.
        ImageMissing: If an image is no longer in the store.
        ImageBroken: If an image's file is damaged.
    """
    request = replace(request, out_dir=request.out_dir.resolve(), masks=_masks_of(request))
    _require(request.format)
    refuse_to_replace(request.out_dir, overwrite=request.overwrite)
    with reading(sessions) as session:
        check_stored_names(session, request.wanted)
        first_pass = _FirstPass(request)
        fingerprint = first_pass.run(session)
        if not first_pass.counts:
            raise NothingFound(_nothing(request.format))
        with growing(request.out_dir, fingerprint) as folder:
            return _write(session, images, folder, first_pass)


def _write(
    session: Session, images: ImageStore, folder: Folder, first_pass: _FirstPass
) -> ExportResult:
    """Write the samples, then the card and the manifest."""
    request, plan = first_pass.request, first_pass.plan(session)
    writer = request.format.open(folder, plan)
    annotations = _write_samples(session, images, first_pass, writer)
    writer.close()
    _draw_samples(session, images, folder, first_pass.shown)
    runs = list_runs_of(session, first_pass.run_seeds)
    limits = {run.id: limits_in_force(session, run) for run in runs}
    facts = CardContent(
        request.format, plan, first_pass.counts, runs, limits, request.command, first_pass.marks
    )
    marks = {run.id: marks_csv(session, run) for run in runs} if _asks_marks(request.wanted) else {}
    write_card(folder, replace(facts, marks_csv=marks))
    done = ExportResult(
        folder=request.out_dir,
        format=request.format.name,
        images=first_pass.counts.total(),
        annotations=annotations,
        classes=len(plan.classes),
        splits=dict(plan.counts),
    )
    known = {
        "folder": request.out_dir.name,
        "command": request.command,
        "class_names": plan.classes,
    }
    write_manifest(folder, asdict(done) | known)
    return done


def _masks_of(request: ExportRequest) -> Masks | None:
    known = request.format.masks
    if request.masks is None:
        return known[0] if known else None
    if request.masks in known:
        return request.masks
    choices = f"supports {' or '.join(known)}" if known else "has no option for masks"
    raise SettingsError(f"--masks {request.masks}: the format {request.format.name} {choices}.")


def _require(wanted: Format) -> None:
    missing = [name for name in wanted.modules if importlib.util.find_spec(name) is None]
    if missing:
        raise LibraryMissing(
            f"the format {wanted.name} needs {', '.join(missing)}, which is not installed. "
            "Install the libraries of all formats: pip install 'chatgenimage-factory[export]', "
            f"or only this one: pip install {' '.join(missing)}"
        )


def _asks_marks(wanted: CandidateFilter) -> bool:
    return wanted.use_reviews or wanted.marked is not None


def _takes(wanted: Format, parent_id: int | None) -> bool:
    return parent_id is not None or not wanted.needs_parent


def _nothing(wanted: Format) -> str:
    kind = "edited or filled candidate" if wanted.needs_parent else "candidate"
    return f"no {kind} matches, nothing was written; try `factory query`."


def _write_samples(
    session: Session, images: ImageStore, first_pass: _FirstPass, writer: Writer
) -> int:
    """Write every sample and return how many annotations they have."""
    request = first_pass.request
    annotations = 0
    total = first_pass.counts.total()
    for candidate in _watched(iter_candidates(session, request.wanted), total):
        if _takes(request.format, candidate.parent_id):
            seed = first_pass.run_seeds[candidate.run_id]
            split = request.splits.of(group_of(seed, candidate.label.name, candidate.key))
            sample = Sample(candidate, split, images)
            writer.add(sample)
            annotations += len(sample.objects)
    return annotations


def _draw_samples(
    session: Session, images: ImageStore, folder: Folder, shown: list[tuple[int, int]]
) -> None:
    chosen = list_candidates(session, [candidate_id for _, candidate_id in shown])
    chosen.sort(key=lambda candidate: (candidate.label.name, candidate.id))
    sheet = draw_sheet(images, chosen, f"{len(chosen)} of the samples")
    sheet.save(folder.place(SAMPLES_FILE), format="PNG")


def _watched(candidates: Iterable[Candidate], total: int) -> Iterable[Candidate]:
    console = SafeConsole(stderr=True)
    return track(
        candidates,
        "Exporting",
        total=total,
        console=console,
        transient=True,
        disable=total < LONG_EXPORT or not console.is_terminal,
    )
