"""Page docs/gain.md: the results in tables, sentences and pictures."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.gain.pictures import draw_chart, draw_samples
from benchmarks.gain.setting import Setting
from benchmarks.gain.trainings import FOUND_BOXES, TRUE_BOXES, Material
from benchmarks.page import to_table
from chatgenimage.factory.gain.arms import (
    BOTH,
    BOTH_AUGMENTED,
    BOTH_MILD,
    REAL,
    REAL_AUGMENTED,
    REAL_MILD,
    REPEATED,
)
from chatgenimage.factory.gain.metrics import MAP50, MAP50_95
from chatgenimage.factory.gain.result import GainResult
from chatgenimage.factory.gain.statistics import Interval
from chatgenimage.factory.gain.verdict import (
    POINTS,
    explain_controls,
    explain_origins,
    order_arms,
    points,
)

PAGE = "gain.md"
BAR_POINTS = 10
HEAD = """\
# What a dataset is worth

Written by `python -m benchmarks.gain`, with the code of `factory gain`. The question: a detector
has few real images, and they show few backgrounds. Does one run of the factory help it on
backgrounds that they do not show? The world of the tiny models can answer, because the true box of
every object in a render is known.

**Know before you read.** The tiny models that paint were trained on renders of all eight
backgrounds, those of the test included. They bring this knowledge into the training images, as
Stable Diffusion brings what it saw on the web. They never saw the test images themselves. Images
have 64 x 64 pixels. What a run of large models adds to your own images, only `factory gain` on your
own test set can say.
"""
SETTING = """\
## The experiment

- **Real**: {real} renders of {labels}; {each} drawn for each label, on two
  backgrounds: {backgrounds}.
- **Synthetic**: `factory run {words} --per-label {per_label} --seed {seed}`
  with the tiny models. It made {candidates} candidates, and the filters accepted {accepted}
  ({origins}). Nothing was chosen by hand. The factory found the boxes.
- **Test**: {test} renders with {objects} objects, {each_test} on each of the six other backgrounds:
  {others}.
- **Detector**: torchvision's FCOS on a small backbone, from random weights. Every arm has {steps}
  steps of {batch} images, so none trains longer than another.
- **Augmentation**: a mild recipe (mirror, colours, a little shift and scale), and the strong recipe
  "ssd" of torchvision's references (colours, zoom out, crop, mirror), which makes objects of 20
  pixels too small for {steps} steps. The synthetic images must beat the best of both.
- **Seeds**: {seeds}. A seed decides the real images, the start weights and the order, for all arms.
  Numbers are points (hundredths of mAP) with 95 % intervals over seeds (Student's t); differences
  are paired by seed. All seeds have the same run and the same test set, so the intervals do not
  say how much another run would differ.
"""
LABELS = """\
## Labels found, compared with true labels

The true boxes of a painted image are not known. So the factory labelled renders instead, with
`factory annotate`: as many as the filters accepted in the run, on all eight backgrounds. They take
the place of the synthetic images, once with their true boxes and once with the boxes found. With
true boxes they are also the ceiling: what the same number of real images of all backgrounds adds.
"""
IMAGES = """\
## The images

Not selected: from each set, at equal distances. The boxes are what the detector learns from. Those
of real and test images are true; those of the others were found by the factory. The language model
also asked for objects of other classes; they are background here.
"""


def write_page(setting: Setting, material: Material, result: GainResult, docs: Path) -> Path:
    """Draw the pictures, write the page, and return its path."""
    pictures = docs / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = [
        HEAD,
        _result(result),
        f"![Arms and curve](images/{draw_chart(result, pictures)})\n",
        _describe_setting(setting, material),
        _arms(result),
        _gains(result),
        _details(result),
        _labels(result),
        _samples(draw_samples(setting, material, pictures)),
    ]
    path = docs / PAGE
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _result(result: GainResult) -> str:
    ours, base = find_best(result)
    with_them, without = result.interval(ours), result.interval(base)
    gain = result.difference(ours, base)
    if with_them is None or without is None or gain is None:
        return "## Result\n\nNothing can be compared.\n"
    apart = "do not overlap" if with_them.low > without.high else "**overlap**"
    is_reached = gain.mean * POINTS >= BAR_POINTS and with_them.low > without.high
    return (
        "## Result\n\n"
        f"On backgrounds that no real training image shows, the run adds **{points(gain)} points** "
        f"of mAP50.\nThe best training without it ({base}) reaches {points(without)}, with it "
        f"({ours}) {points(with_them)}.\nThe 95 % intervals {apart}. The aim, {BAR_POINTS} points "
        f"with intervals apart, is {'reached' if is_reached else '**not reached**'}.\n"
    )


def find_best(result: GainResult) -> tuple[str, str]:
    """Return the best arm with synthetic images, and the best with real ones alone."""
    ours = result.best_of(BOTH, BOTH_MILD, BOTH_AUGMENTED) or BOTH
    return ours, result.best_of(REAL, REAL_MILD, REAL_AUGMENTED, REPEATED) or REAL


def _describe_setting(setting: Setting, material: Material) -> str:
    accepted = [one for one in material.candidates if one.is_accepted]
    origins = Counter(one.source.value for one in accepted)
    return SETTING.format(
        real=len(material.real[setting.seeds[0]]),
        labels=_list(setting.labels),
        each=setting.real_per_label,
        backgrounds=_list(setting.real_backgrounds),
        words=" ".join(setting.labels),
        per_label=setting.per_label,
        seed=setting.run_seed,
        candidates=len(material.candidates),
        accepted=len(accepted),
        origins=_list([f"{count} {origin}" for origin, count in origins.items()]),
        test=len(material.test),
        objects=sum(len(one.objects) for one in material.test),
        each_test=setting.test_per_background,
        others=_list(setting.test_backgrounds),
        steps=setting.steps,
        batch=setting.batch_size,
        seeds=len(setting.seeds),
    )


def _arms(result: GainResult) -> str:
    _, base = find_best(result)
    rows = [
        (
            arm.name,
            arm.images,
            _points(result.interval(arm.name, MAP50)),
            _points(result.interval(arm.name, MAP50_95)),
            "" if arm.name == base else _points(result.difference(arm.name, base), signed=True),
        )
        for arm in order_arms(result)
    ]
    heads = ("trained on", "images", MAP50, MAP50_95, f"{MAP50} less that of {base}")
    return f"## Every arm\n\n{to_table(heads, rows)}\n"


def _gains(result: GainResult) -> str:
    domains = [{"domain": name} for name in result.domains]
    labels = [{"label": name} for name in result.classes]
    tables = "\n\n".join(_compare(result, parts) for parts in (domains, labels))
    return f"## By background and class\n\n{MAP50} of the two best.\n\n{tables}\n"


def _compare(result: GainResult, parts: Sequence[Mapping[str, str]]) -> str:
    """Return a table of the two best arms, with a row for each part of the test set."""
    ours, base = find_best(result)
    rows = [
        (
            *part.values(),
            _points(result.interval(base, **part)),
            _points(result.interval(ours, **part)),
            _points(result.difference(ours, base, **part), signed=True),
        )
        for part in parts
    ]
    return to_table(("", base, ours, "gain"), rows)


def _details(result: GainResult) -> str:
    lines = [*explain_origins(result), *explain_controls(result)]
    notes = [f"- {note}" for note in result.notes]
    text = "\n".join([*(f"- {line}" for line in lines), *notes])
    return f"## Origins, filter, controls\n\n{text}\n"


def _labels(result: GainResult) -> str:
    rows = list(_label_rows(result))
    if not (result.has_arm(TRUE_BOXES) and result.has_arm(FOUND_BOXES)):
        return ""
    return f"{LABELS}\n{to_table(('trained on', MAP50, MAP50_95), rows)}\n"


def _label_rows(result: GainResult) -> Iterator[Sequence[str]]:
    for name in (TRUE_BOXES, FOUND_BOXES, BOTH):
        yield (name, *(_points(result.interval(name, metric)) for metric in (MAP50, MAP50_95)))


def _samples(picture: str) -> str:
    return f"{IMAGES}\n![Real, test, accepted and rejected images](images/{picture})\n"


def _points(found: Interval | None, *, signed: bool = False) -> str:
    return "" if found is None else points(found, signed=signed)


def _list(words: Sequence[str]) -> str:
    return ", ".join(words)
