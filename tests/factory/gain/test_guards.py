import io
from dataclasses import replace

import pytest
from PIL import Image

from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.guards import guard
from chatgenimage.factory.gain.sets import ImageSets
from chatgenimage.factory.gain.values import LabelledImage, Task
from tests.factory.gain.pictures import pictures, to_png


def sets_of(*, real=8, synthetic=12, test=40, **changes):
    """Return sets of different pictures."""
    sets = ImageSets(
        tuple(pictures(real, seed=1)),
        tuple(pictures(synthetic, seed=2)),
        tuple(pictures(test, seed=3)),
    )
    return replace(sets, **changes)


def relabelled(images, **names):
    """Return images whose objects and classes have other names."""
    return tuple(
        replace(
            image,
            label=names.get(image.label, image.label),
            objects=tuple(
                replace(known, label=names.get(known.label, known.label)) for known in image.objects
            ),
        )
        for image in images
    )


def saved_again(image):
    """Return a picture as a smaller JPEG would show it."""
    with Image.open(io.BytesIO(image.read())) as opened:
        small = opened.convert("RGB").resize((48, 48))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=80)
    with Image.open(buffer) as lossy:
        return LabelledImage.of_bytes(
            "copy.png", to_png(lossy.resize((64, 64))), (64, 64), image.objects, image.label
        )


def test_the_richest_common_task_is_chosen_and_labels_are_reduced_to_it():
    sets = sets_of()
    assert guard(sets, None)[0] is Task.SEGMENT
    no_masks = tuple(
        replace(one, objects=tuple(replace(known, rle=None) for known in one.objects))
        for one in sets.test
    )
    task, guarded = guard(replace(sets, test=no_masks), None)
    assert task is Task.DETECT
    assert guarded.real[0].objects[0].rle is None
    assert guarded.real[0].label is None
    task, guarded = guard(sets, Task.CLASSIFY)
    assert task is Task.CLASSIFY
    assert guarded.real[0].objects == ()


def test_sets_without_a_common_task_are_refused():
    only_classes = tuple(replace(one, objects=()) for one in pictures(4, seed=1))
    sets = replace(sets_of(), real=only_classes)
    assert guard(sets, None)[0] is Task.CLASSIFY
    with pytest.raises(BadDataset, match=r"no labels for detect in common.*train: classify;"):
        guard(sets, Task.DETECT)


def test_copies_of_test_images_are_removed_and_said():
    sets = sets_of()
    copies = (*map(saved_again, sets.test[:3]), *sets.real)
    synthetic = (*map(saved_again, sets.real[:2]), *sets.synthetic)
    _, guarded = guard(replace(sets, real=copies, synthetic=synthetic), Task.DETECT)
    assert len(guarded.real) == 8
    assert len(guarded.synthetic) == 12
    assert any("Removed from the train set" in note and " 3, " in note for note in guarded.notes)
    assert any("near-duplicates of train images: 2" in note for note in guarded.notes)


def test_a_training_set_of_copies_only_is_refused():
    sets = sets_of()
    with pytest.raises(BadDataset, match="every image of the train set is a near-duplicate"):
        guard(replace(sets, real=sets.test[:5]), None)


def test_classes_are_matched_by_name_without_case():
    sets = sets_of()
    named = replace(sets, real=relabelled(sets.real, disc="DISC", square="Square"))
    _, guarded = guard(named, Task.DETECT)
    assert guarded.classes == ("disc", "square")
    assert {known.label for one in guarded.real for known in one.objects} == {"disc", "square"}
    assert guarded.notes == ()


def test_classes_that_cannot_be_measured_are_left_out_and_said():
    sets = sets_of()
    changed = replace(
        sets,
        real=relabelled(sets.real, square="star"),
        synthetic=relabelled(sets.synthetic, square="moon"),
    )
    _, guarded = guard(changed, Task.DETECT)
    assert guarded.classes == ("disc",)
    assert "Not measured, because no training set has them: square." in guarded.notes
    assert "Not used of the synthetic set, because the test set has none: moon." in guarded.notes
    assert {known.label for one in guarded.test for known in one.objects} == {"disc"}
    assert len(guarded.test) == 40  # images of squares are empty now: background


def test_no_common_class_is_refused():
    sets = sets_of()
    other = relabelled(sets.test, disc="cat", square="dog")
    with pytest.raises(BadDataset, match=r"no class in common.*cat, dog; they have disc, square"):
        guard(replace(sets, test=other), None)


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({"test": 1}, "the test set has 1 usable image; expected at least 2"),
        ({"real": 1}, "the train set has 1 usable image"),
        ({"synthetic": 1}, "the synthetic set has 1 usable image"),
        ({"real": 0, "synthetic": 0}, "nothing to train on"),
    ],
)
def test_too_few_images_are_refused(counts, problem):
    with pytest.raises(BadDataset, match=problem):
        guard(sets_of(**counts), None)


def test_too_few_images_are_refused_with_what_was_removed():
    """Rejected images are left, so the synthetic set is not empty, and has none to train on."""
    sets = sets_of()
    accepted, rejected = sets.synthetic[:4], sets.synthetic[4:]
    mixed = (*accepted, *(replace(one, is_accepted=False) for one in rejected))
    with pytest.raises(BadDataset, match=r"0 usable images.* Removed from the synthetic set.* 4"):
        guard(replace(sets, synthetic=mixed, test=(*sets.test, *map(saved_again, accepted))), None)


def test_one_class_cannot_be_told_apart():
    sets = sets_of()
    discs = tuple(one for one in sets.test if one.label == "disc")
    with pytest.raises(BadDataset, match=r"only one class can be measured: disc.*has none: square"):
        guard(replace(sets, test=discs), Task.CLASSIFY)
    assert guard(replace(sets, test=discs), Task.DETECT)[1].test


def test_a_small_test_set_is_used_with_a_warning():
    _, guarded = guard(sets_of(test=12), None)
    assert "The test set has only 12 images" in guarded.notes[0]


def test_a_file_that_breaks_when_it_is_decoded_is_refused():
    sets = sets_of()
    broken = LabelledImage.of_bytes(
        "broken.png", sets.test[0].read()[:200], (64, 64), sets.test[0].objects
    )
    with pytest.raises(BadDataset, match=r"broken.png is not an image that can be read"):
        guard(replace(sets, test=(broken, *sets.test)), Task.DETECT)
