"""Export a dataset: one pass to count and plan, one pass to write samples, then the card."""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice

from rich.progress import track
from sqlalchemy.orm import Session

from chatgenimage.db.classes import list_run_classes
from chatgenimage.db.domains import list_coverage
from chatgenimage.db.exporting import count_repeated_images, list_exported_runs, list_runs_of
from chatgenimage.db.images import ImageStore
from chatgenimage.db.queries import PAGE_ROWS, CandidateFilter, list_candidates
from chatgenimage.db.session import Sessions, reading
from chatgenimage.factory.curation.refilter import limits_in_force
from chatgenimage.factory.curation.reviews import marks_csv
from chatgenimage.factory.errors import (
    LibraryMissing,
    NothingFound,
    SettingsError,
    SplitsIncomplete,
)
from chatgenimage.factory.export.base import Format, Masks, Plan, Writer
from chatgenimage.factory.export.card import CardContent, write_card
from chatgenimage.factory.export.card_models import find_models
from chatgenimage.factory.export.class_choice import CLASSES_FILE, write_classes
from chatgenimage.factory.export.classes import (
    check_choice,
    count_left_out,
    describe_classes,
    find_extras_left_out,
    plan_classes,
    try_to_number,
)
from chatgenimage.factory.export.corrections import describe_corrections
from chatgenimage.factory.export.first_pass import FirstPass, iter_keys
from chatgenimage.factory.export.folder import Folder, growing, refuse_to_replace, write_manifest
from chatgenimage.factory.export.gaps import check_split_names, shares_of
from chatgenimage.factory.export.originals import Originals
from chatgenimage.factory.export.request import ExportRequest, ExportResult
from chatgenimage.factory.export.run_files import was_previewed
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.sources import SourcesFile
from chatgenimage.factory.foreign_text import SafeConsole
from chatgenimage.factory.query.filters import check_stored_names
from chatgenimage.factory.reports.sheet_drawing import draw_sheet

LONG_EXPORT = 200
SAMPLES_FILE = "samples.png"


def export(sessions: Sessions, images: ImageStore, request: ExportRequest) -> ExportResult:
    """Write candidates as a dataset; the folder is complete or absent.

    Samples are streamed: memory does not grow with their number. An interrupted export continues
    when it is requested again.

    Raises:
        SettingsError: If the format does not support the requested masks, or needs other splits.
        LibraryMissing: If the format needs a library that is not installed.
        CannotWrite: If `out_dir` has contents that may not be replaced, or writing fails.
        NothingFound: If no candidate matches.
        SplitsIncomplete: If a split has no image or lacks a label, and that is asked to be refused.
        RowNotFound: If the filter names a run that does not exist.
        UnknownName: If it names a label that no run was asked for, or the choice of classes has a
            name that does not exist.
        ImageMissing: If an image is no longer in the store.
        ImageBroken: If an image's file is damaged.
    """
    request = replace(request, out_dir=request.out_dir.resolve(), masks=_masks_of(request))
    _require(request.format)
    check_split_names(request.format, request.splits)
    refuse_to_replace(request.out_dir, overwrite=request.overwrite)
    originals = Originals(request.originals)
    problem = None
    while True:  # again after new classes got numbers, which another transaction writes
        with reading(sessions) as session:
            check_stored_names(session, request.wanted)
            use_reviews = request.wanted.use_reviews
            chosen = check_choice(session, request.classes, use_reviews=use_reviews)
            wanted = replace(request.wanted, classes=chosen)
            run_ids = list_exported_runs(session, wanted)
            own = list_run_classes(session, run_ids, use_reviews=use_reviews)
            extras = find_extras_left_out(
                session, request.classes, run_ids, use_reviews=use_reviews
            )
            classes = plan_classes(session, request.classes, own, problem, extras)
            if not classes.unnumbered:
                originals.check(session, wanted)
                first_pass = FirstPass(replace(request, wanted=wanted), classes, originals)
                return _export(session, images, first_pass)
        problem = try_to_number(sessions, classes.unnumbered)


def _export(session: Session, images: ImageStore, first_pass: FirstPass) -> ExportResult:
    request = first_pass.request
    fingerprint = first_pass.run(session)
    if not first_pass.counts:
        raise NothingFound(_nothing(request.format))
    _refuse_gaps(first_pass)
    with growing(request.out_dir, fingerprint) as folder:
        return _write(session, images, folder, first_pass)


def _write(
    session: Session, images: ImageStore, folder: Folder, first_pass: FirstPass
) -> ExportResult:
    """Write the samples, then the card and the manifest."""
    request, plan = first_pass.request, first_pass.plan()
    writer = request.format.open(folder, plan)
    sources = SourcesFile(folder)
    annotations = _write_samples(session, images, first_pass, writer, sources)
    writer.close()
    folder.put_text(CLASSES_FILE, write_classes(plan.classes))
    _draw_samples(session, images, folder, first_pass)
    left_out = count_left_out(session, request.wanted, first_pass.classes)
    of_classes = describe_classes(first_pass.classes, left_out)
    corrected = describe_corrections(session, request.wanted)
    repeated = _describe_repeated(session, request)
    notes = (*of_classes, *corrected, *first_pass.originals.describe(), *repeated)
    shares = first_pass.shares()
    write_card(folder, _card_content(session, first_pass, plan, notes))
    done = ExportResult(
        folder=request.out_dir,
        format=request.format.name,
        images=first_pass.counts.total(),
        annotations=annotations,
        classes=len(plan.classes),
        splits=first_pass.totals(),
        shares=shares_of(first_pass.totals()),
        lacking=dict(first_pass.assignment.lacking),
        left_out_objects=left_out.objects,
        left_out_images=left_out.images,
        missing_originals=len(first_pass.originals.missing),
        notes=(*notes, *shares),
        gaps=tuple(first_pass.gaps()),
    )
    known = {
        "folder": request.out_dir.name,
        "command": request.command,
        "class_names": plan.classes,
    }
    write_manifest(folder, asdict(done) | known)
    return done


def _describe_repeated(session: Session, request: ExportRequest) -> Iterator[str]:
    """Yield a sentence if a picture is in the dataset more than once."""
    derived = request.format.needs_parent
    if count := count_repeated_images(session, request.wanted, derived=derived):
        yield (
            f"Images that are here more than once, from several runs: {count}. Each has the "
            "classes and objects of its run, and these may differ. --run exports one run alone."
        )


def _card_content(
    session: Session, first_pass: FirstPass, plan: Plan, notes: tuple[str, ...]
) -> CardContent:
    """Return the facts of the dataset card."""
    request = first_pass.request
    runs = list_runs_of(session, first_pass.run_ids)
    marks = {run.id: marks_csv(session, run) for run in runs} if _asks_marks(request.wanted) else {}
    return CardContent(
        request.format,
        plan,
        first_pass.counts,
        runs,
        {run.id: find_models(session, run) for run in runs},
        {run.id: limits_in_force(session, run) for run in runs},
        request.command,
        gaps=[*first_pass.gaps(), *first_pass.shares()],
        marks=first_pass.marks,
        marks_csv=marks,
        merged=first_pass.classes.choice.merged,
        notes=notes,
        has_originals=first_pass.originals.is_asked,
        coverage={run.id: list_coverage(session, run.id) for run in runs},
        previewed=[run.id for run in runs if was_previewed(session, run)],
    )


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


def _refuse_gaps(first_pass: FirstPass) -> None:
    gaps = first_pass.gaps()
    if gaps and first_pass.request.strict_splits:
        raise SplitsIncomplete(
            f"{' '.join(gaps)} Nothing was written, because of --strict-splits: make more images, "
            "take fewer splits, or leave the option out."
        )


def _nothing(wanted: Format) -> str:
    kind = "edited or filled candidate" if wanted.needs_parent else "candidate"
    return f"no {kind} matches, nothing was written; try `factory query`."


def _write_samples(
    session: Session,
    images: ImageStore,
    first_pass: FirstPass,
    writer: Writer,
    sources: SourcesFile,
) -> int:
    """Write every sample and return how many annotations they have."""
    annotations = 0
    samples = _iter_samples(session, images, first_pass)
    for sample in _watched(samples, first_pass.counts.total()):
        writer.add(sample)
        sources.add(sample)
        annotations += len(sample.objects)
    return annotations


def _iter_samples(session: Session, images: ImageStore, first_pass: FirstPass) -> Iterator[Sample]:
    """Yield the samples, reading a page of candidates at a time."""
    keys = iter_keys(session, first_pass.request)
    while page := list(islice(keys, PAGE_ROWS)):
        candidates = list_candidates(session, [key.candidate_id for key in page])
        for key, candidate in zip(page, candidates, strict=True):
            split = first_pass.assignment.of(key.root_sha256)
            original = first_pass.originals.of(candidate)
            use_reviews = first_pass.request.wanted.use_reviews
            yield Sample(candidate, split, first_pass.classes, images, original, use_reviews)


def _draw_samples(
    session: Session, images: ImageStore, folder: Folder, first_pass: FirstPass
) -> None:
    chosen = list_candidates(session, [candidate_id for _, candidate_id in first_pass.shown])
    chosen.sort(key=lambda candidate: (candidate.label.name, candidate.id))
    use_reviews = first_pass.request.wanted.use_reviews
    title = f"{len(chosen)} of the samples"
    sheet = draw_sheet(images, chosen, title, use_reviews=use_reviews)
    sheet.save(folder.place(SAMPLES_FILE), format="PNG")


def _watched(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
    console = SafeConsole(stderr=True)
    return track(
        samples,
        "Exporting",
        total=total,
        console=console,
        transient=True,
        disable=total < LONG_EXPORT or not console.is_terminal,
    )
