from sqlalchemy import select

from db.models import Batch
from tasks import brainstorm
from tests import rows


def test_whichever_batch_of_a_label_asks_first_asks_for_its_features_alike(place):
    with place.sessions.begin() as session:
        rows.add_run(session, batches=2)
        batches = session.scalars(select(Batch)).all()
        questions = [
            brainstorm.read(session, rows.add_steps(session, batch)[0], batch.id)
            for batch in batches
        ]
    assert len({question.features_seed for question in questions}) == 1
    assert len({question.seed for question in questions}) == 2
