from dataclasses import replace

from chatgenimage.factory.gain.arms import Kind, plan_arms
from chatgenimage.factory.gain.values import Augmentation, Source
from tests.factory.gain.pictures import picture, pictures

ORIGINS = (Source.GENERATED, Source.EDITED, Source.FILLED)


def candidates(*, generated=20, edited=12, filled=9, rejected=7):
    """Return synthetic candidates of three origins; the rejected ones are generated."""
    counts = {Source.GENERATED: generated, Source.EDITED: edited, Source.FILLED: filled}
    sources = [source for source, count in counts.items() for _ in range(count)]
    kept = [picture(number, seed=2, source=source) for number, source in enumerate(sources)]
    refused = pictures(rejected, seed=3, source=Source.GENERATED, is_accepted=False)
    return [*kept, *refused]


def names_of(arm):
    """Return the names of an arm's images."""
    return {image.name for image in arm.images}


def test_all_arms_are_planned_where_there_is_everything():
    real = pictures(6, seed=1)
    arms = {arm.name: arm for arm in plan_arms(real, candidates())}
    assert {name: (len(arm.images), arm.synthetic) for name, arm in arms.items()} == {
        "real": (6, 0),
        "real + mild augmentation": (6, 0),
        "real + augmentation": (6, 0),
        "synthetic": (41, 41),
        "real + synthetic": (47, 41),
        "real + synthetic + mild augmentation": (47, 41),
        "real + synthetic + augmentation": (47, 41),
        "real, repeated": (47, 0),
        "synthetic, filter off": (48, 48),
        "real + 1/4 of synthetic": (16, 10),
        "real + 1/2 of synthetic": (26, 20),
        "real + 9 generated": (15, 9),
        "real + 9 edited": (15, 9),
        "real + 9 filled": (15, 9),
    }
    augmented = {name: arm.augment for name, arm in arms.items() if arm.augment != "none"}
    assert augmented == {
        "real + mild augmentation": Augmentation.MILD,
        "real + augmentation": Augmentation.STRONG,
        "real + synthetic + mild augmentation": Augmentation.MILD,
        "real + synthetic + augmentation": Augmentation.STRONG,
    }
    assert names_of(arms["real, repeated"]) == {image.name for image in real}


def test_rejected_candidates_are_in_the_arm_without_filter_alone():
    arms = plan_arms(pictures(6, seed=1), candidates())
    with_rejected = [arm.name for arm in arms if not all(one.is_accepted for one in arm.images)]
    assert with_rejected == ["synthetic, filter off"]


def test_an_arm_of_an_origin_has_that_origin_alone():
    arms = [arm for arm in plan_arms([], candidates()) if arm.kind is Kind.ORIGIN]
    assert [arm.name for arm in arms] == ["9 generated", "9 edited", "9 filled"]
    for arm, origin in zip(arms, ORIGINS, strict=True):
        assert {one.source for one in arm.images} == {origin}


def test_parts_of_the_curve_are_nested_and_mixed():
    arms = {arm.name: arm for arm in plan_arms([], candidates(rejected=0))}
    quarter, half, whole = (
        names_of(arms[name]) for name in ("1/4 of synthetic", "1/2 of synthetic", "synthetic")
    )
    assert quarter < half < whole
    assert len({one.source for one in arms["1/2 of synthetic"].images}) == 3


def test_there_is_no_arm_for_what_is_missing():
    assert [arm.name for arm in plan_arms(pictures(4), [])] == [
        "real",
        "real + mild augmentation",
        "real + augmentation",
    ]
    alone = [replace(one, source=Source.SYNTHETIC) for one in pictures(20)]
    assert [arm.name for arm in plan_arms([], alone)] == [
        "synthetic",
        "synthetic + mild augmentation",
        "synthetic + augmentation",
        "1/4 of synthetic",
        "1/2 of synthetic",
    ]
    few = plan_arms([], candidates(filled=7, edited=0))
    assert not [arm for arm in few if arm.kind is Kind.ORIGIN]
