"""Classes of an experiment: matched by name between the test set and the training sets."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.sets import ImageSets
from chatgenimage.factory.gain.values import LabelledImage, Task

SHOWN = 8


def match_classes(images: ImageSets, task: Task) -> ImageSets:
    """Return the sets with the classes of the test set that a training set has too.

    Names are compared without case; `_` and `-` count as spaces. The test set's spelling is used.

    Raises:
        BadDataset: If there is no such class.
    """
    training = (*images.real, *images.synthetic)
    spelled = {_plain(name): name for name in sorted(_names_of(images.test))}
    taught = {_plain(name) for name in _names_of(training)}
    classes = [name for plain, name in spelled.items() if plain in taught]
    if not classes:
        raise BadDataset(
            "the test set has no class in common with the training sets. The test set has "
            f"{_join(spelled.values())}; they have {_join(_names_of(training))}."
        )
    notes = [*_note_classes(images, spelled, classes)]
    matched = images.changed(lambda some: _rename(some, spelled, set(classes), task))
    return replace(matched.noted(*notes), classes=tuple(classes))


def _rename(
    images: Iterable[LabelledImage], spelled: dict[str, str], classes: set[str], task: Task
) -> Iterator[LabelledImage]:
    """Yield images with the test set's spelling, without objects or images of other classes."""
    for image in images:
        label = spelled.get(_plain(image.label or ""))
        if task is Task.CLASSIFY:
            if label in classes:
                yield replace(image, label=label)
            continue
        named = [replace(one, label=spelled.get(_plain(one.label), "")) for one in image.objects]
        yield replace(image, objects=tuple(one for one in named if one.label in classes))


def _note_classes(images: ImageSets, spelled: dict[str, str], classes: list[str]) -> Iterator[str]:
    if untaught := [name for name in spelled.values() if name not in classes]:
        yield f"Not measured, because no training set has them: {_join(untaught)}."
    for title, some in (("train", images.real), ("synthetic", images.synthetic)):
        if some:
            own = {_plain(name): name for name in sorted(_names_of(some))}
            if missing := [name for name in classes if _plain(name) not in own]:
                yield f"The {title} set has no {_join(missing)}."
            if other := [name for plain, name in own.items() if plain not in spelled]:
                yield f"Not used of the {title} set, because the test set has none: {_join(other)}."


def _names_of(images: Sequence[LabelledImage]) -> set[str]:
    labels = {image.label for image in images if image.label is not None}
    return labels | {known.label for image in images for known in image.objects}


def _plain(name: str) -> str:
    """Return a class name for comparison: without case, `_` and `-` are spaces."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _join(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
