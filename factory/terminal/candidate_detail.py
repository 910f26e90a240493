"""One candidate in full, for a terminal: its lineage as a tree, its scores as a table."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from chatgenimage.db.images import ImageStore
from chatgenimage.db.models import (
    Annotation,
    Candidate,
    LlmCall,
    Mark,
    Placement,
    Rejudging,
    Score,
    VerdictChange,
    VisualAnswer,
)
from chatgenimage.db.queries import CandidateDetail
from chatgenimage.factory.terminal.tables import colour_of


def render_detail(detail: CandidateDetail, images: ImageStore) -> RenderableType:
    """Return everything about a candidate."""
    candidate = detail.candidate
    parts: list[RenderableType] = [_lineage(detail), ""]
    if candidate.scores:
        parts += [_scores(candidate.scores), ""]
    parts += [_describe_answer(answer) for answer in detail.answers]
    if candidate.annotations:
        parts += [_annotations(candidate.annotations), ""]
    parts += _proposals(detail)
    parts += [part for call in detail.calls for part in _describe_call(call)]
    parts += [_describe_change(*change) for change in detail.changes]
    parts += [_describe_mark(mark) for mark in candidate.marks]
    parts.append(Text(f"image  {images.path_of(candidate.sha256)}", overflow="fold"))
    return Group(*parts)


def _lineage(detail: CandidateDetail) -> Tree:
    """Return the way from the root to the candidate, and its children below it."""
    line = [*detail.ancestors, detail.candidate]
    root = branch = Tree(_head(line[0]))
    for depth, candidate in enumerate(line):
        if depth:
            branch = branch.add(_head(candidate))
        for fact in _details(candidate):
            branch.add(fact, style="dim")
    for child in detail.children:
        branch.add(_head(child)).add(Text(child.prompt_text, style="dim"))
    return root


def _head(candidate: Candidate) -> Text:
    text = Text(f"{candidate.origin} {candidate.id}", style="bold")
    text.append(f"  {candidate.label.name}  {candidate.key}  round {candidate.round}  ", "not bold")
    reason = f": {candidate.reason}" if candidate.reason else ""
    reason += f" of {candidate.duplicate_of_id}" if candidate.duplicate_of_id else ""
    verdict = candidate.verdict or "not judged"
    text.append(verdict + reason, f"not bold {colour_of(candidate.verdict)}")
    return text


def _details(candidate: Candidate) -> Iterator[Text]:
    model = candidate.model
    settings = ", ".join(f"{name} {value}" for name, value in model.get("settings", {}).items())
    facts = {
        "picture": candidate.source_name,
        "domain": candidate.domain,
        "prompt": candidate.prompt_text,
        "negative": candidate.negative_prompt,
        "scene": candidate.scene and candidate.scene.description,
        "place": candidate.placement and _describe_placement(candidate.placement),
        "seed": str(candidate.seed),
        "model": model and _name_model(model),
        "": settings,
        "caption": candidate.caption,
        "labels": ", ".join(
            f"{role} {_name_model(made_by)}"
            for role, made_by in (candidate.labelled_by or {}).items()
        ),
    }
    for name, value in facts.items():
        if value:
            yield Text.assemble((f"{name:<9}", "dim"), (value, "not dim"))


def _name_model(model: Mapping[str, Any]) -> str:
    """Return a model's family, checkpoint and revision, and the licence of its own card."""
    licence = f", {model['licence']}" if model.get("licence") else ""
    named = f"{model.get('family')} {model.get('checkpoint', '')}".rstrip()
    return f"{named} @ {model.get('revision')}{licence}"


def _scores(scores: Sequence[Score]) -> Table:
    table = _table("scores", "value", "threshold", "passed")
    for score in scores:
        passed = {True: "yes", False: "no", None: "not judged"}[score.passed]
        style = {True: "green", False: "yellow", None: "dim"}[score.passed]
        threshold = "" if score.threshold is None else f"{score.threshold:g}"
        table.add_row(score.name, f"{score.value:.4g}", threshold, Text(passed, style))
    return table


def _annotations(annotations: Sequence[Annotation]) -> Table:
    table = _table("objects", "confidence", "box xyxy", "area")
    for found in annotations:
        confidence, area = f"{found.confidence:.2f}", f"{found.area_px} px"
        table.add_row(Text(found.label), confidence, _describe_box(found.box_xyxy), area)
    return table


def _proposals(detail: CandidateDetail) -> Iterator[RenderableType]:
    for scene in detail.scenes:
        yield Text(f"imagined  {scene.description}")
    for placement in detail.placements:
        refused = f"  refused: {placement.problem}" if placement.problem else ""
        yield Text(f"proposed  {_describe_placement(placement)}{refused}")


def _describe_call(call: LlmCall) -> Iterator[Text]:
    """Yield what a language model was asked and what it said, word for word."""
    counts = [call.prompt_tokens, call.completion_tokens]
    sent, received = ("unknown" if count is None else count for count in counts)
    tokens = "" if counts == [0, 0] else f", {sent} + {received} tokens"
    refused = f"  refused: {call.problem}" if call.problem else ""
    yield Text(f"asked     {call.question} of {call.model}{tokens}{refused}")
    yield Text(f"          {call.answer.strip()}", style="dim", overflow="fold")


def _describe_answer(answer: VisualAnswer) -> Text:
    """Return what a vision-language model was asked about the image, or about one of its boxes."""
    where = "" if answer.index < 0 else f" (object {answer.index + 1})"
    text = Text(f"seen      {answer.question}{where}", overflow="fold")
    value = "unread" if answer.value is None else f"{answer.value:.2f}"
    return text.append(f" -> {answer.answer} [{answer.name} {value}, {answer.model}]", style="dim")


def _describe_change(made: Rejudging, change: VerdictChange) -> Text:
    """Return how it was judged again."""
    before = change.reason_before or change.verdict_before
    after = change.reason_after or change.verdict_after
    return Text(f"judged    {before} -> {after}, {_when(made.created_at)}, {made.author}")


def _describe_mark(mark: Mark) -> Text:
    """Return what a person said of it."""
    said = {True: "good", False: "bad", None: "mark taken back"}[mark.is_good]
    return Text(f"marked    {said}, {_when(mark.created_at)}, {mark.author}")


def _when(created_at: float) -> str:
    return datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _describe_placement(placement: Placement) -> str:
    return f"{placement.label} {placement.relationship_text} in {_describe_box(placement.box_xyxy)}"


def _describe_box(box_xyxy: tuple[float, float, float, float]) -> str:
    return " ".join(f"{side:.1f}" for side in box_xyxy)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name)
    return table
