"""Visual checks: questions to a vision-language model, and scores from its answers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chatgenimage.tasks.filter_rules import (
    SEEN_BACKGROUND,
    SEEN_BOXES,
    SEEN_COUNT,
    SEEN_WHOLE,
    LabelledBox,
)
from chatgenimage.tasks.judge_answers import read_count, read_rating
from chatgenimage.workers.interfaces import VisualJudge
from chatgenimage.workers.llm.english import with_article
from chatgenimage.workers.values import BoxXyxy, RgbImage

SCALE = "Answer with one number from 0 (certainly not) to 10 (certainly), and nothing else."
WHOLE = (
    "Is there {label} in this image, whole and plausible, without missing, doubled or melted "
    f"parts? {SCALE}"
)
BACKGROUND = f"Does this image show {{background}} as its background? {SCALE}"
COUNT = 'How many objects named "{label}" are in this image? Answer with one number only.'
BOX = f"Is the main object in this image {{label}}? {SCALE}"
BOX_MARGIN = 0.1
"""Share of a box's sides that is shown around it."""
WHOLE_IMAGE = -1


@dataclass(frozen=True, slots=True)
class VisualQuestion:
    """A question about an image.

    Attributes:
        name: Name of the score that its answer becomes.
        text: As it is asked.
        index: Index of the box that it is about; -1: the whole image.
        box_xyxy: That box, in pixels; None: the whole image.
        expected: The number of boxes that a count is compared with; None for other questions.
    """

    name: str
    text: str
    index: int = WHOLE_IMAGE
    box_xyxy: BoxXyxy | None = None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class VisualReply:
    """An answered question; `value` is in [0, 1], or None if the answer stays unread."""

    question: VisualQuestion
    answer: str
    value: float | None
    model: str


def questions_about(
    checks: Sequence[str],
    labels: Sequence[str],
    background: str | None,
    found: Sequence[LabelledBox],
) -> list[VisualQuestion]:
    """Return the questions about one image.

    Args:
        checks: Of "whole", "background", "count" and "boxes".
        labels: Labels of which the image should show one; with several, neither the object nor
            their number is asked for.
        background: What it should be on; None: anything.
        found: Its boxes.
    """
    label = labels[0] if len(labels) == 1 else None
    questions = []
    if label and "whole" in checks:
        text = WHOLE.format(label=with_article(label))
        questions.append(VisualQuestion(SEEN_WHOLE.name, text))
    if background and "background" in checks:
        text = BACKGROUND.format(background=background)
        questions.append(VisualQuestion(SEEN_BACKGROUND.name, text))
    if label and "count" in checks:
        boxes = sum(name == label for name, _ in found)
        text = COUNT.format(label=label)
        questions.append(VisualQuestion(SEEN_COUNT.name, text, expected=boxes))
    if "boxes" in checks:
        questions += [
            VisualQuestion(SEEN_BOXES.name, BOX.format(label=with_article(name)), index, box)
            for index, (name, box) in enumerate(found)
        ]
    return questions


def ask_judge(
    judge: VisualJudge, images: Sequence[RgbImage], questions: Sequence[Sequence[VisualQuestion]]
) -> list[tuple[VisualReply, ...]]:
    """Return the answered questions of each image; all are asked in one call.

    Args:
        judge: The model.
        images: (H, W, 3) uint8 RGB.
        questions: Of each image.
    """
    pairs = [(image, one) for image, some in zip(images, questions, strict=True) for one in some]
    if not pairs:
        return [() for _ in images]
    shown = [crop(image, one.box_xyxy) for image, one in pairs]
    said = iter(judge.ask(shown, [one.text for _, one in pairs]))
    model = judge.identity.checkpoint
    return [
        tuple(
            VisualReply(one, answer, read_value(one, answer), model)
            for one, answer in zip(some, said, strict=False)
        )
        for some in questions
    ]


def scores_of(replies: Iterable[VisualReply]) -> Mapping[str, float]:
    """Return the scores by name: of several boxes the lowest; an unread answer has none."""
    values: dict[str, list[float]] = defaultdict(list)
    for reply in replies:
        if reply.value is not None:
            values[reply.question.name].append(reply.value)
    return {name: min(some) for name, some in values.items()}


def read_value(question: VisualQuestion, answer: str) -> float | None:
    """Return what an answer says, in [0, 1]; None if it stays unread (`judge_answers`)."""
    if question.expected is None:
        return read_rating(answer)
    count = read_count(answer)
    return None if count is None else _ratio(count, question.expected)


def crop(image: RgbImage, box_xyxy: BoxXyxy | None) -> RgbImage:
    """Return a box with a margin, cut out of an image; the whole image for None."""
    if box_xyxy is None:
        return image
    height, width = image.shape[:2]
    x_min, y_min, x_max, y_max = box_xyxy
    across, down = BOX_MARGIN * (x_max - x_min), BOX_MARGIN * (y_max - y_min)
    left, top = max(0, int(x_min - across)), max(0, int(y_min - down))
    right, bottom = min(width, round(x_max + across)), min(height, round(y_max + down))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def _ratio(one: int, other: int) -> float:
    """Return how equal two counts are: 1 if they are, less the more they differ."""
    return 1.0 if one == other else min(one, other) / max(one, other)
