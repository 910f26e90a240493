"""Labels and command of a run on the card: they make the same batches in the same order again."""

import re
import shlex

import pytest
from sqlalchemy import select

from chatgenimage.db.control import release_held
from chatgenimage.db.models import Batch, Run
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit
from tests import rows
from tests.factory.exports import export_as


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


def submitted(place, requests, settings, *, previews):
    """Submit a run; return the batches of each label, in order."""
    with place.sessions.begin() as session:
        run_id = submit(session, requests, settings, seed=None, previews=previews).run_id
        release_held(session, run_id)
        labels = session.get_one(Run, run_id).labels
        query = select(Batch.size).order_by(Batch.index)
        return [
            (label.name, *session.scalars(query.where(Batch.label_id == label.id)))
            for label in labels
        ]


@pytest.mark.parametrize(("per_label", "previews"), [(3, True), (3, False), (1, True)])
def test_the_card_makes_the_batches_of_a_run_again(place, out, tmp_path, per_label, previews):
    settings = load_settings("micro", chain={"per_label": per_label})
    wanted = read_labels(["house", "dog"]).requests
    made = submitted(place, wanted, settings, previews=previews)
    assert [name for name, *_ in made] == ["house", "dog"]
    with place.sessions.begin() as session:
        first = select(Batch).where(Batch.index == 0).order_by(Batch.id)
        for batch in session.scalars(first):
            rows.add_family(place, session, batch)
        session.get_one(Run, 1).state = "done"
    export_as(place, "coco", out)
    [command] = re.findall("^factory run .*", (out / "README.md").read_text(), re.MULTILINE)
    words = shlex.split(command)
    assert ("--preview" in words) == ("--yes" in words) == (previews and per_label > 1)
    again = read_labels(files=[out / words[words.index("--file") + 1]]).requests
    profile = load_settings(out / words[words.index("--profile") + 1])
    assert submitted(place, again, profile, previews="--preview" in words) == made
