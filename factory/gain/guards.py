"""Guards: what makes a comparison unfair or meaningless is removed with a note, or refused."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.classes import match_classes
from chatgenimage.factory.gain.copies import Copies, CopyFinder
from chatgenimage.factory.gain.sets import ImageSets
from chatgenimage.factory.gain.values import LabelledImage, Task
from chatgenimage.factory.wording import counted

LEAST_IMAGES = 2
FEW_TEST_IMAGES = 30


def guard(images: ImageSets, task: Task | None) -> tuple[Task, ImageSets]:
    """Return the task, and the images as they may be compared.

    Labels are reduced to those of the task, classes are matched by name, and training images that
    are near-duplicates of test images are removed.

    Args:
        images: As they were read.
        task: The task that a person chose; None: the richest that the labels allow.

    Raises:
        BadDataset: If the sets have no kind of label or no class in common, or too few images.
    """
    if not images.real and not images.synthetic:
        raise BadDataset("nothing to train on: give --run or --synthetic, and --train if you can.")
    chosen = _choose_task(images, task)
    images = _for_task(images, chosen)
    images = match_classes(images, chosen)
    _refuse_one_class(images, chosen)
    images = _without_copies(images)
    _refuse_few(images)
    return chosen, images.noted(*_warn_few_tests(images))


def tasks_of(images: Sequence[LabelledImage]) -> set[Task]:
    """Return the tasks that a set has labels for."""
    objects = [known for image in images for known in image.objects]
    found = set()
    if images and any(image.label is not None for image in images):
        found.add(Task.CLASSIFY)
    if objects:
        found.add(Task.DETECT)
    if objects and all(known.rle is not None for known in objects):
        found.add(Task.SEGMENT)
    return found


def _choose_task(images: ImageSets, task: Task | None) -> Task:
    """Return the task, or the richest one that all sets have labels for if none is asked.

    Raises:
        BadDataset: If the sets have no such labels in common.
    """
    known = {name: tasks_of(some) for name, some in images.named().items()}
    common = set.intersection(*known.values())
    if task in common:
        return task
    if task is None and common:
        return max(common, key=list(Task).index)
    found = "; ".join(
        f"{name}: {', '.join(sorted(some)) or 'none'}" for name, some in known.items()
    )
    wanted = "the same task" if task is None else task
    raise BadDataset(f"the sets have no labels for {wanted} in common. They have {found}.")


def _for_task(images: ImageSets, task: Task) -> ImageSets:
    """Return the sets with the labels of the task alone."""

    def reduce(image: LabelledImage) -> LabelledImage:
        """Return the image with only what the task reads."""
        if task is Task.CLASSIFY:
            return replace(image, objects=())
        objects = image.objects
        if task is Task.DETECT:
            objects = tuple(replace(known, rle=None) for known in objects)
        return replace(image, objects=objects, label=None)

    return images.changed(lambda some: map(reduce, some))


def _without_copies(images: ImageSets) -> ImageSets:
    """Return the sets without training images that are copies of a test image.

    Synthetic images that are copies of a real training image are removed too: "synthetic" would
    train on real ones.
    """
    finder = CopyFinder()
    real, of_test = finder.split(images.real, images.test)
    synthetic, also_of_test = finder.split(images.synthetic, images.test)
    synthetic, of_real = finder.split(synthetic, real)
    notes = (
        _note_copies("train", "test", of_test),
        _note_copies("synthetic", "test", also_of_test),
        _note_copies("synthetic", "train", of_real),
    )
    for name, before, after in (
        ("train", images.real, real),
        ("synthetic", images.synthetic, synthetic),
    ):
        if before and not after:
            raise BadDataset(
                f"every image of the {name} set is a near-duplicate of an image of another set; "
                "nothing can be measured. Name other images, or other splits."
            )
    found = replace(images, real=tuple(real), synthetic=tuple(synthetic))
    return found.noted(*filter(None, notes))


def _note_copies(name: str, original: str, copies: Copies) -> str:
    if not copies:
        return ""
    copy, of = copies[0]
    return (
        f"Removed from the {name} set, as near-duplicates of {original} images: {len(copies)}, "
        f"e.g. {copy.name} is like {of.name}."
    )


def _refuse_one_class(images: ImageSets, task: Task) -> None:
    """Raise BadDataset if there is nothing to tell apart: every answer would be right."""
    if task is Task.CLASSIFY and len(images.classes) == 1:
        raise BadDataset(
            " ".join((f"only one class can be measured: {images.classes[0]}.", *images.notes))
            + " To classify, the test set and a training set need two classes in common."
        )


def _refuse_few(images: ImageSets) -> None:
    """Raise BadDataset if a set has too few usable images; the notes say what was removed."""
    sets = {"test": images.test}
    if images.real:
        sets["train"] = images.real
    if images.synthetic:
        sets["synthetic"] = tuple(one for one in images.synthetic if one.is_accepted)
    for name, some in sets.items():
        if len(some) < LEAST_IMAGES:
            problem = (
                f"the {name} set has {counted(len(some), 'usable image')}; "
                f"expected at least {LEAST_IMAGES}."
            )
            raise BadDataset(" ".join((problem, *images.notes)))


def _warn_few_tests(images: ImageSets) -> Iterator[str]:
    if (count := len(images.test)) < FEW_TEST_IMAGES:
        yield (
            f"The test set has only {counted(count, 'image')}. The intervals are over seeds: with "
            f"fewer than {FEW_TEST_IMAGES} test images, other test images may give clearly other "
            "values."
        )
        return
    counts = Counter(one.domain for one in images.test)
    if few := [f"{name} ({n})" for name, n in sorted(counts.items()) if n < FEW_TEST_IMAGES]:
        yield f"Domains with fewer than {FEW_TEST_IMAGES} test images: {', '.join(few)}."
