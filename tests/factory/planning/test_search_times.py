"""Measured times of a plan that looks for all classes of the run on each image."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Step
from chatgenimage.factory.checkpoints.trial_times import remember_trial
from chatgenimage.factory.planning.plan import plan_run
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import models_key
from chatgenimage.factory.submission.labels import LabelRequest
from chatgenimage.workers.trial import TrialResult
from tests import rows

pytestmark = pytest.mark.models

PHRASES = {f"thing {number}": f"thing {number}" for number in range(30)}
"""With 12 phrases in a question, three passes of the detector instead of one."""


def settings_of(place, search_for):
    chain = {"class_list": [], "run_phrases": PHRASES, "search_for": search_for}
    return load_settings("micro", data_dir=place.data_dir, device="cpu", chain=chain)


def add_measured_run(place, seconds, **chain):
    """Write a run that labelled an image in so many seconds."""
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        run.models_key = models_key(settings_of(place, "run"))
        run.profile = {**run.profile, "chain": chain}
        [batch] = rows.batches_of(session, run)
        rows.add_steps(session, batch)
        of_label = select(Step).where(Step.name == "label", Step.batch_id == batch.id)
        step = session.scalars(of_label).first()
        rows.add_item(session, step, 0).duration_s = seconds


def labelling(place, search_for):
    steps = plan_run(settings_of(place, search_for), [LabelRequest("dog")]).steps
    step = next(each for each in steps if each.work.step == "label")
    return step.item_s, step.source


def test_passes_that_no_run_measured_are_reported_and_added_if_the_detector_was_tried(place):
    add_measured_run(place, 1.0)
    assert labelling(place, "label") == (1.0, "measured (1 items)")
    assert labelling(place, "run") == (1.0, "measured (1 items) without 2 detector passes more")
    tried = TrialResult("cpu", 1.0, 1.0, 1, "something", {"detect": 0.25})
    remember_trial(settings_of(place, "run"), "detection", tried)
    assert labelling(place, "run") == (1.5, "measured (1 items) + 2 detector passes (models check)")
    assert labelling(place, "label") == (1.0, "measured (1 items)")


def test_runs_with_the_same_search_are_averaged(place):
    add_measured_run(place, 1.0)
    add_measured_run(place, 3.0, search_for="run")
    assert labelling(place, "run") == (3.0, "measured (1 items)")
    assert labelling(place, "label") == (1.0, "measured (1 items)")
