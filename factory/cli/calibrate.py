"""`factory models calibrate`: a similarity threshold from pictures with known labels."""

from pathlib import Path
from typing import Annotated

import typer

from chatgenimage.factory.cli.checkpoints import Profile
from chatgenimage.factory.cli.common import (
    WHOLE_FILES,
    AsJson,
    expected_errors,
    print_json,
    stderr,
    stdout,
)
from chatgenimage.factory.commands import PlaceChoice, use_places
from chatgenimage.factory.settings.model import load_settings


@expected_errors(WHOLE_FILES)
def calibrate(
    profile: Profile = None,
    *,
    pairs: Annotated[
        Path,
        typer.Option(
            help="A folder per label, named after it, with pictures that show it and no other of "
            "the labels."
        ),
    ],
    keep: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="Share of true pairs that should pass.")
    ] = 0.95,
    write: Annotated[
        Path | None, typer.Option(help="Write a copy of the profile with the threshold.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a profile's similarity model on known pairs, and name a clip_similarity_min.

    Cosines differ between checkpoints: a threshold of one model is wrong for another. Pictures of
    a run can be used: an export of the format `classification` has such folders in `train`.

    Example: factory models calibrate my.yaml --pairs photos --write mine.yaml
    """
    from chatgenimage.factory import calibration

    use_places(PlaceChoice(profile=profile))
    settings = load_settings(profile)
    measured = calibration.measure_pairs(settings, pairs)
    threshold = measured.threshold_that_keeps(keep)
    for name in measured.unread:
        stderr.print(f"Skipped: {name}", soft_wrap=True)
    if as_json:
        print_json(calibration.record_of(measured, threshold))
    else:
        in_force = settings.thresholds.clip_similarity_min
        for line in calibration.summary_of(measured, threshold, in_force):
            stdout.print(line, soft_wrap=True)
    if write is not None:
        calibration.write_threshold(profile or settings.profile, threshold, write)
        stderr.print(f"Written: {write}; use it with --profile {write}", soft_wrap=True)
