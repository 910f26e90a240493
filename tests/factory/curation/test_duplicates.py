"""The rule of which of two look-alikes is kept."""

import pytest

from chatgenimage.db.fingerprints import Scope
from chatgenimage.db.session import reading
from chatgenimage.factory.curation.duplicates import load_duplicates
from chatgenimage.tasks.filter_rules import DUPLICATE
from chatgenimage.tasks.options import RunOptions
from tests import rows


@pytest.mark.parametrize(
    ("source", "kept"), [("prompts", "b0/g0"), ("pictures", "b0/g1")], ids=["painted", "pictures"]
)
def test_of_a_person_s_pictures_the_larger_is_kept(place, source, kept):
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        batch, ids = rows.batch_of(session, run), {}
        for key, side, similarity in (("b0/g0", 40, 0.9), ("b0/g1", 256, 0.3), ("b0/g2", 40, 0.8)):
            scores = {"clip_similarity": similarity}
            one = rows.add_candidate(place, session, batch, key=key, scores=scores)
            one.width_px = one.height_px = side
            rows.add_fingerprint(session, one)
            ids[one.id] = key
        run_id = run.id
    options = RunOptions.model_validate({"chain": {"source": source}})
    with reading(place.sessions) as session:
        found = load_duplicates(session, Scope(run_id), options)
    matches = found.find_matches(found.good, {DUPLICATE.name: 0.9})
    assert {ids[key]: ids[match.candidate_id] for key, match in matches.items()} == {
        key: kept for key in ids.values() if key != kept
    }
