"""Runs that ended, and the notifications that they caused."""

from sqlalchemy import update

from chatgenimage.db.models import Notification
from chatgenimage.db.states import BatchState, ItemState
from chatgenimage.factory.notifications.notifier import Notifier
from chatgenimage.factory.processes import finalize_run
from chatgenimage.factory.settings.model import load_settings
from tests import rows

PATIENCE_S = 240


def end_run(place):
    with place.sessions.begin() as session:
        run = rows.add_run(session, spent=0.25)
        batch = rows.batch_of(session, run)
        rows.add_family(place, session, batch)
        rows.add_candidate(place, session, batch, verdict="rejected", reason="blank")
        *_, last = rows.add_steps(session, batch, done=4)
        rows.add_item(session, last, 3, state=ItemState.QUARANTINED, error="Boom")
        batch.state = BatchState.DONE
    assert finalize_run.finish_run(place.sessions, run.id)
    return run.id


def notifier_of(place, **settings):
    settings = load_settings("micro", data_dir=place.data_dir, **settings)
    return Notifier(settings, place.sessions)


def let_time_pass(place):
    with place.sessions.begin() as session:
        session.execute(update(Notification).values(run_after=0.0))
