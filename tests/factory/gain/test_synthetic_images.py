import re
from dataclasses import replace

import numpy as np
import pytest

from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Candidate, Run
from chatgenimage.db.states import Origin, RunState
from chatgenimage.factory.errors import BadDataset
from chatgenimage.factory.gain.readers.reading import Role, read_images
from chatgenimage.factory.gain.run_images import note_run, read_run
from chatgenimage.factory.gain.values import Source
from chatgenimage.factory.query.store import open_store
from tests.factory import exports

FORMATS = ("coco", "rf-detr", "yolo-detect", "yolo-segment", "voc", "imagefolder")


def test_a_run_gives_all_judged_candidates_with_labels_origin_and_verdict(filled_place):
    with open_store(filled_place.data_dir) as store:
        images = read_run(store, 1)
    assert len(images) == 8
    assert {image.source for image in images} == {Source.GENERATED, Source.EDITED, Source.FILLED}
    assert [image.is_accepted for image in images].count(False) == 2
    first = images[0]
    assert first.label == "dog"
    assert first.to_rgb().shape == (64, 64, 3)
    assert first.objects[0].label == "dog"
    assert first.objects[0].rle["size"] == [64, 64]


def test_the_reader_of_the_result_learns_that_a_run_is_not_over(filled_place):
    with open_store(filled_place.data_dir) as store:
        assert note_run(store, 1) == [
            "Run 1 is active: its near-duplicates are rejected only when it is done."
        ]
    with filled_place.sessions.begin() as session:
        session.get(Run, 1).state = RunState.DONE
        session.get(Candidate, 1).origin = Origin.IMPORTED
    with open_store(filled_place.data_dir) as store:
        assert note_run(store, 1) == [
            "Not used: 1 imported images of run 1, which are not synthetic."
        ]
        assert len(read_run(store, 1)) == 7


def test_a_run_without_accepted_images_or_of_another_number_is_refused(filled_place):
    with filled_place.sessions.begin() as session:
        for candidate in session.query(Candidate):
            candidate.verdict = None
    with open_store(filled_place.data_dir) as store:
        with pytest.raises(BadDataset, match="run 1 has no accepted"):
            read_run(store, 1)
        with pytest.raises(RowNotFound):
            read_run(store, 2)


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_is_read_as_the_run_itself(name, filled_place, tmp_path):
    out = tmp_path / "exported"
    exports.export_as(filled_place, name, out, splits="train=0.5,val=0.5")
    read = {_number(image.name): image for image in read_images(out, Role.SYNTHETIC)}
    with open_store(filled_place.data_dir) as store:
        known = [image for image in read_run(store, 1) if image.is_accepted]
    for image in known:
        found = read[int(image.name.removeprefix("candidate "))]
        assert np.array_equal(found.to_rgb(), image.to_rgb())
        if name == "imagefolder":
            assert (found.label, found.source) == (image.label, image.source)
        else:
            assert [one.label for one in found.objects] == [one.label for one in image.objects]
            for ours, theirs in zip(found.objects, image.objects, strict=True):
                np.testing.assert_allclose(ours.box_xyxy, theirs.box_xyxy, atol=1)
        if name == "coco":
            assert replace(found, name=image.name, label=image.label) == image


def _number(name):
    """Return the candidate's id, with which the name of an exported file begins."""
    return int(re.search(r"(\d{8})-[0-9a-f]{12}", name)[1])
