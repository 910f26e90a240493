"""Measurement of the autoencoder, Stable Diffusion, InstructPix2Pix and the fill, as configured.

"Found" means by the product's detector, "confirmed" by the independent judge.
"""

from dataclasses import dataclass

import numpy as np

from chatgenimage.tasks.fill import EditedCandidate, compute_place, judge_proposals
from chatgenimage.workers import image_similarity, masks
from chatgenimage.workers.interfaces import BackgroundEditor, ImageGenerator, ObjectFiller
from chatgenimage.workers.llm.english import with_article
from chatgenimage.workers.llm.rulebook import describe
from chatgenimage.workers.values import BoxXyxy, Detection, Mask, RgbImage
from training.bench import Advance, Bench, boxes_of, is_found_in, iter_batches, share
from training.words import BOOK, write_instruction, write_plain_caption
from training.world import BACKGROUNDS, LABELS

SIZE_WH = (64, 64)


def measure_vae(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return the reconstruction PSNR in dB."""
    ratios: list[float] = []
    for rows in iter_batches(count, advance):
        images = bench.held_out.images[list(rows)]
        ratios += [
            image_similarity.psnr(before, after) or 0.0
            for before, after in zip(images, bench.round_trip(list(images)), strict=True)
        ]
    return {"psnr_db": float(np.mean(ratios))}


def measure_one(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return how well prompts with one object are followed."""
    return _measure_generate(bench, count, 1, advance)


def measure_two(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return how well prompts with two objects are followed."""
    return _measure_generate(bench, count, 2, advance)


def _measure_generate(bench: Bench, count: int, objects: int, advance: Advance) -> dict[str, float]:
    generator, rng = bench.resources.able(ImageGenerator), np.random.default_rng(objects)
    found, confirmed, right = [], [], []
    for numbers in iter_batches(count, advance):
        asked = [draw_prompt(rng, objects) for _ in numbers]
        prompts = [describe(nouns, BOOK.backgrounds[place].place) for nouns, place in asked]
        images = generator.generate(prompts, list(numbers))
        names = bench.backgrounds.name(images)
        for (nouns, place), image, detections, name in zip(
            asked, images, bench.detect(images), names, strict=True
        ):
            boxes = [boxes_of(noun, detections) for noun in nouns]
            found.append(all(boxes))
            confirmed.append(
                all(n in bench.objects.name(image, b) for n, b in zip(nouns, boxes, strict=True))
            )
            right.append(name == place)
    return {
        "all_found": share(found),
        "all_confirmed": share(confirmed),
        "background_right": share(right),
    }


def draw_prompt(rng: np.random.Generator, objects: int) -> tuple[list[str], str]:
    """Return different objects and a background."""
    return list(rng.choice(LABELS, objects, replace=False)), str(rng.choice(BACKGROUNDS))


def measure_edit(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return how often the new background is right and how many objects stay in their place."""
    editor, held_out = bench.resources.able(BackgroundEditor), bench.held_out
    right, found, confirmed = [], [], []
    for rows in iter_batches(count, advance):
        wanted = [held_out.edited_background(row) for row in rows]
        instructions = [write_instruction(name) for name in wanted]
        images = editor.edit(list(held_out.images[list(rows)]), instructions, list(rows))
        names = bench.backgrounds.name(images)
        right += [name == asked for name, asked in zip(names, wanted, strict=True)]
        for row, image, detections in zip(rows, images, bench.detect(images), strict=True):
            truth = bench.truth(row)
            found += [is_found_in(asked, detections) for asked in truth]
            seen = bench.objects.name(image, [box for _, box in truth])
            confirmed += [label == name for (label, _), name in zip(truth, seen, strict=True)]
    return {
        "background_right": share(right),
        "objects_kept": share(found),
        "objects_confirmed": share(confirmed),
    }


@dataclass(frozen=True, slots=True)
class Filling:
    """An object to paint, its box, and the held-out scene."""

    image: RgbImage
    label: str
    box_xyxy: BoxXyxy
    prompt: str

    @property
    def mask(self) -> Mask:
        """The region to repaint."""
        return masks.from_box(self.box_xyxy, SIZE_WH)


def measure_fill(bench: Bench, count: int, advance: Advance) -> dict[str, float]:
    """Return how often the object is in its box, and whether the rest is unchanged."""
    filler, fillings = bench.resources.able(ObjectFiller), draw_fillings(bench, count)
    found, confirmed, untouched = [], [], []
    for numbers in iter_batches(len(fillings), advance):
        part = [fillings[number] for number in numbers]
        images = filler.fill(
            [filling.image for filling in part],
            [filling.mask for filling in part],
            [filling.prompt for filling in part],
            list(numbers),
        )
        for filling, image, detections in zip(part, images, bench.detect(images), strict=True):
            asked = (filling.label, filling.box_xyxy)
            found.append(is_found_in(asked, detections))
            confirmed.append(bench.objects.name(image, [filling.box_xyxy]) == [filling.label])
            outside = ~filling.mask
            untouched.append(bool((image[outside] == filling.image[outside]).all()))
    return {
        "found_in_box": share(found),
        "confirmed_in_box": share(confirmed),
        "outside_untouched": share(untouched),
    }


def draw_fillings(bench: Bench, count: int) -> list[Filling]:
    """Return fillings in boxes by the product's placement rules; others are skipped."""
    rng, fillings = np.random.default_rng(7), list[Filling]()
    for row in range(len(bench.held_out)):
        canvas = _canvas_of(bench, row, str(rng.choice(_absent(bench, row))))
        [answer] = compute_place(bench.resources, [canvas])
        for proposal, problem in zip(
            answer.value, judge_proposals(answer.value, canvas), strict=True
        ):
            if problem is None:
                place = BOOK.backgrounds[bench.held_out.background(row)].place
                prompt = bench.settings.chain.fill_prompt.format(
                    object=with_article(proposal.label),
                    relationship=proposal.relationship,
                    place=place,
                )
                image = bench.held_out.images[row]
                fillings.append(Filling(image, proposal.label, proposal.box_xyxy, prompt))
        if len(fillings) == count:
            break
    return fillings


def _absent(bench: Bench, row: int) -> list[str]:
    return [label for label in LABELS if label not in bench.held_out.nouns(row)]


def _canvas_of(bench: Bench, row: int, target: str) -> EditedCandidate:
    """Return a held-out scene as described to the language model."""
    caption = write_plain_caption(bench.held_out.nouns(row), bench.held_out.background(row))
    existing = tuple(Detection(label, 1.0, box) for label, box in bench.truth(row))
    return EditedCandidate(row, caption, existing, (target,), SIZE_WH, wanted=1, seed=row)
