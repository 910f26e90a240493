"""Dataset card: contents, models with licences, thresholds, and how to repeat the export."""

import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import yaml

from chatgenimage.db.domains import Coverage
from chatgenimage.db.models import Run
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.curation.refilter import submitted_limits
from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.card_coverage import describe_coverage
from chatgenimage.factory.export.card_models import ModelsOfRun, describe_models
from chatgenimage.factory.export.card_search import describe_search
from chatgenimage.factory.export.class_choice import CLASSES_FILE
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.formats import FORMATS
from chatgenimage.factory.export.gaps import state_shares
from chatgenimage.factory.export.markdown import cell, table_head, table_row
from chatgenimage.factory.export.run_files import (
    labels_csv,
    labels_file,
    marks_file,
    profile_file,
)
from chatgenimage.factory.export.sources import SOURCES_FILE
from chatgenimage.factory.wording import counted
from chatgenimage.tasks.filter_rules import DOMAIN
from chatgenimage.tasks.options import ChainOptions, run_options

CARD_FILE = "README.md"
SHOWN_LABELS = 100
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"
YOUR_PICTURES = "your pictures"


@dataclass(frozen=True, slots=True)
class CardContent:
    """Contents of the card.

    Attributes:
        counts: Number of samples by split, label and origin.
        runs: Runs that the samples come from.
        models: Models of each run, and its profile with their commits.
        limits: Thresholds of their verdicts, by run and score.
        command: Command of the export.
        gaps: Sentences about splits that have no image, lack labels, or have other shares.
        marks: Number of reviewed samples, by verdict and whether the review is good.
        marks_csv: Reviews that decided which samples are exported, by run; empty if only the
            filters decided.
        merged: Classes that became another one: new name by old name.
        notes: What a reader may not expect of classes and files, a sentence each.
        has_originals: Whether original files of pictures were asked for.
        coverage: Accepted and wanted images by label and domain, of each run.
        previewed: Runs that began with a preview.
    """

    format: Format
    plan: Plan
    counts: Mapping[tuple[str, str, str], int]
    runs: Sequence[Run]
    models: Mapping[int, ModelsOfRun]
    limits: Mapping[int, Mapping[str, float]]
    command: str
    gaps: Sequence[str] = ()
    marks: Mapping[tuple[str | None, bool], int] = field(default_factory=dict)
    marks_csv: Mapping[int, str] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    has_originals: bool = False
    coverage: Mapping[int, Sequence[Coverage]] = field(default_factory=dict)
    previewed: Collection[int] = ()

    def count(self, origin: Origin) -> int:
        """Return how many samples are of an origin."""
        return sum(count for (_, _, other), count in self.counts.items() if other == origin)


def write_card(folder: Folder, facts: CardContent) -> None:
    """Write the card, and the labels and the profile of each run."""
    for run in facts.runs:
        folder.put_text(
            profile_file(run), yaml.safe_dump(facts.models[run.id].profile, sort_keys=False)
        )
        if _is_of_prompts(run):
            folder.put_text(labels_file(run), labels_csv(run))
        if run.id in facts.marks_csv:
            folder.put_text(marks_file(run), facts.marks_csv[run.id])
    folder.put_text(CARD_FILE, "\n".join(_lines(facts)) + "\n")


def _lines(facts: CardContent) -> Iterator[str]:
    """Yield all lines of the card."""
    yield from ("---", yaml.safe_dump(_front_matter(facts), sort_keys=False).rstrip(), "---")
    yield from (f"# {cell(facts.plan.out_name)}", "", *_about(facts), "")
    yield from ("![Some of the samples](samples.png)", "")
    yield from ("## Contents", "", *_contents(facts), "")
    yield from ("## Classes", "", *_classes(facts), "")
    if facts.count(Origin.IMPORTED):
        yield from ("## Sources", "", *_sources(facts), "")
    yield from describe_coverage(facts.coverage)
    yield from ("## Models", "", *describe_models(facts.runs, facts.models), "")
    yield from ("## Thresholds", "", *_thresholds(facts), "")
    yield from ("## Repeat it", "", *_commands(facts), "")
    yield from ("## How to read it", "", *_reading(facts), "")
    yield from ("## Train on it", "", *_training(facts))


def _front_matter(facts: CardContent) -> dict[str, Any]:
    """Return the metadata that the Hugging Face hub reads from a card."""
    total = sum(facts.plan.counts.values())
    size = next((name for most, name in SIZES if total < most), LARGEST)
    hub = facts.format.hub(facts.plan) if facts.format.hub else {}
    return {
        "license": "other",
        "license_name": "of-the-models",
        "pretty_name": facts.plan.out_name,
        "tags": [*(["synthetic"] if _count_painted(facts) else []), "chatgenimage"],
        "size_categories": [size],
        **hub,
    }


def _about(facts: CardContent) -> list[str]:
    """Return the first lines: what the images are, how they were checked and how they are split."""
    painted, brought = _count_painted(facts), facts.count(Origin.IMPORTED)
    kinds = [f"{counted(painted, 'image')} generated and labelled by models"] if painted else []
    kinds += [f"{counted(brought, 'imported picture')} labelled by models"] if brought else []
    return [
        f"{' and '.join(kinds)}, as {facts.format.title}.",
        f"Boxes, masks and captions are the output of models; {_checked(facts)}.",
        *describe_search(facts.runs),
        "",
        "An initial image and everything edited or filled from it are in the same split.",
        *state_shares(facts.plan.counts),
        *(cell(gap, len(gap)) for gap in facts.gaps),
    ]


def _checked(facts: CardContent) -> str:
    """Return how many samples were reviewed, and whether the reviews decided."""
    good = sum(count for (_, is_good), count in facts.marks.items() if is_good)
    bad = sum(facts.marks.values()) - good
    if not good + bad:
        return "no person has reviewed them"
    reviewed = f"a person reviewed {good} of the images as good and {bad} as bad"
    if not facts.marks_csv:
        return f"{reviewed}; the reviews did not decide what is exported"
    saved = facts.marks.get((Verdict.REJECTED, True), 0)
    return (
        f"{reviewed}; the reviews decided what is exported: {saved} of the good images had been "
        "rejected by the filters"
    )


def _contents(facts: CardContent) -> Iterator[str]:
    """Yield the table of images by label, split and origin."""
    splits = list(facts.plan.counts)
    found = {origin for _, _, origin in facts.counts}
    origins = [origin for origin in Origin if origin in found]
    titles = {label.name for run in facts.runs if not _is_of_prompts(run) for label in run.labels}
    rows: dict[str, Counter[str]] = {}
    for (split, label, origin), count in facts.counts.items():
        # A run of pictures has a title instead of a label, which is not a class.
        is_title = label in titles and label not in facts.plan.classes
        row = rows.setdefault(YOUR_PICTURES if is_title else label, Counter())
        row[split] += count
        row[origin] += count
        row["all"] += count
    yield from table_head("label", "images", *splits, *origins)
    columns = ("all", *splits, *origins)
    largest = sorted(rows.items(), key=lambda pair: (-pair[1]["all"], pair[0]))
    for label, row in largest[:SHOWN_LABELS]:
        yield table_row(label, *(row[column] for column in columns))
    if len(rows) > SHOWN_LABELS:
        yield table_row(f"and {len(rows) - SHOWN_LABELS} more labels", *[""] * len(columns))
    total = sum(rows.values(), Counter())
    yield table_row("all", *(total[column] for column in columns))


def _classes(facts: CardContent) -> Iterator[str]:
    yield (
        f"The {len(facts.plan.classes)} classes are in [{CLASSES_FILE}]({CLASSES_FILE}), one on "
        "each line; the first has the number 0. `factory export` reads this file with `--classes`."
    )
    for old, new in facts.merged.items():
        yield f"- {cell(old)} became {cell(new)}."
    yield from (f"- {cell(note, len(note))}" for note in facts.notes)


def _sources(facts: CardContent) -> Iterator[str]:
    yield (
        f"[{SOURCES_FILE}]({SOURCES_FILE}) has the file name and the size of each imported picture "
        "next to those of its image here."
    )
    if facts.has_originals:
        yield (
            "Where it was available the image is the original file, with everything that the "
            "file says of itself, such as camera and place."
        )


def _thresholds(facts: CardContent) -> Iterator[str]:
    names = sorted({name for limits in facts.limits.values() for name in limits})
    if not any(facts.coverage.values()):
        names.remove(DOMAIN.name)
    yield from table_head("run", *names)
    for run_id, limits in facts.limits.items():
        yield table_row(run_id, *(limits.get(name, "") for name in names))


def _commands(facts: CardContent) -> Iterator[str]:
    """Yield the commands that make the dataset again."""
    yield f"With version {version('chatgenimage-factory')} of the factory, from this folder:"
    yield from ("", "```sh")
    for number, run in enumerate(facts.runs, start=1):  # as they are numbered in a new folder
        yield _make_again(run, previews=run.id in facts.previewed)
        if changed := facts.limits[run.id].items() - submitted_limits(run).items():
            options = " ".join(f"--set {name}={value:g}" for name, value in sorted(changed))
            yield f"factory refilter {number} --yes {options}"
        if run.id in facts.marks_csv:
            yield f"factory mark --file {marks_file(run)}"
    yield from (facts.command, "```", "")
    yield "On the same kind of machine the same seed gives the same images."


def _make_again(run: Run, *, previews: bool) -> str:
    if _is_of_prompts(run):
        preview = "--preview --yes " if previews else ""
        files = f"--file {labels_file(run)} --profile {profile_file(run)}"
        return f"factory run {preview}{files} --seed {run.seed}"
    chain = run_options(run).chain
    names = f"--labels {shlex.quote(_spell_classes(chain))} " if chain.class_list else ""
    vary = "--vary " if chain.rounds else ""
    side = f"--longest-side {chain.longest_side_px}"
    return f"factory annotate FOLDER {names}{vary}{side} --profile {profile_file(run)}"


def _spell_classes(chain: ChainOptions) -> str:
    """Return the classes as `factory annotate --labels` reads them."""
    return ",".join(
        phrase if phrase == name else f"{phrase}={name}"
        for name in chain.class_list
        for phrase in chain.phrases.get(name, (name,))
    )


def _is_of_prompts(run: Run) -> bool:
    return run_options(run).chain.source == "prompts"


def _count_painted(facts: CardContent) -> int:
    return sum(facts.plan.counts.values()) - facts.count(Origin.IMPORTED)


def _reading(facts: CardContent) -> Iterator[str]:
    split = next(iter(facts.plan.counts))
    code = facts.format.reading.replace("{out}", ".").replace("{split}", split)
    yield from ("From this folder:", "", "```python", code, "```")


def _training(facts: CardContent) -> Iterator[str]:
    for trainer in facts.format.trainers:
        yield from (f"### {trainer.name}", "", f"`pip install {trainer.install}`, then here:", "")
        yield from (f"```{trainer.language}", trainer.code, "```", "")
    intro = "Other trainers take another format of the same images as it is"
    yield from (f"{intro}, named as for `factory export`:", "")
    for known in FORMATS.values():
        if known.trainers and known.name != facts.format.name:
            names = ", ".join(trainer.name for trainer in known.trainers)
            yield f"- `{known.name}`: {names}"
