import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch, Score
from chatgenimage.db.states import Origin, Verdict
from tests import rows


@pytest.fixture
def filled_place(place):
    """A database with two labels, each with three accepted candidates and one rejected."""
    with place.sessions.begin() as session:
        rows.add_run(session, ("dog", "house"))
        for batch in session.scalars(select(Batch).order_by(Batch.id)):
            root, *_ = rows.add_family(place, session, batch)
            rejected = rows.add_candidate(
                place,
                session,
                batch,
                [(batch.label.name, "peru", rows.DOG_BOX)],
                key="b0/g0/e1",
                parent=root,
                origin=Origin.EDITED,
                round=1,
                verdict=Verdict.REJECTED,
                reason="pixels_changed",
                scores={},
            )
            rejected.scores.append(Score(name="psnr_db", value=9, threshold=18, passed=False))
    return place
