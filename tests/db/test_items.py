import pytest
from sqlalchemy import event, select

from chatgenimage.db import delivery, items
from chatgenimage.db.delivery import Claim
from chatgenimage.db.models import Batch, Item
from chatgenimage.db.run_progress import overview
from chatgenimage.db.states import ItemState
from tests import rows


@pytest.fixture
def held(place):
    """The claim of a batch's first step."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        rows.add_steps(session, batch)
        return delivery.claim_step(session, batch.id, "brainstorm", owner="me", lease_s=60)[0]


def by_subject(session):
    return {item.subject_id: item for item in session.scalars(select(Item))}


def test_items_are_open_until_they_are_settled(place, held):
    with place.sessions.begin() as session:
        items.add_items(session, held, [30, 10, 20])
        first, second = items.start_untried(session, held, most=2, worker="me")
        [third] = items.start_untried(session, held, most=2, worker="me")
        assert items.start_untried(session, held, most=2, worker="me") == []
        assert [item.subject_id for item in (first, second, third)] == [30, 10, 20]
        assert [item.attempts for item in (first, second, third)] == [1, 1, 1]
        items.put_back_items(session, [second.id])
        items.settle_items(
            session, held, [first.id], ItemState.DONE, duration_s=0.5, gpu_peak_bytes=7 << 30
        )
        items.settle_items(
            session, held, [third.id], ItemState.QUARANTINED, error="too dark", inputs={"seed": 7}
        )
    with place.sessions() as session:
        [left] = items.open_items(session, held)
        assert (left.subject_id, left.attempts) == (10, 0)
        found = by_subject(session)
    assert (found[30].attempts, found[30].duration_s, found[30].worker) == (1, 0.5, "me")
    assert (found[30].gpu_peak_bytes, found[20].gpu_peak_bytes) == (7 << 30, None)
    assert (found[20].error, found[20].inputs) == ("too dark", {"seed": 7})


def test_the_first_items_are_written_down_with_their_attempt_counted(place, held):
    with place.sessions.begin() as session:
        assert items.add_items(session, held, [], most=2, worker="me") == []
        started = items.add_items(session, held, [30, 10, 20], most=2, worker="me")
        assert [(item.subject_id, item.attempts) for item in started] == [(30, 1), (10, 1)]
        assert items.add_items(session, held, [30, 10, 20], most=2, worker="you") == []
        [third] = items.start_untried(session, held, most=2, worker="you")
        assert (third.subject_id, third.attempts) == (20, 1)
    with place.sessions() as session:
        workers = {subject: item.worker for subject, item in by_subject(session).items()}
    assert workers == {30: "me", 10: "me", 20: "you"}


def test_postgres_settles_items_without_reading_all_others(postgres_place):
    with postgres_place.sessions() as session:
        connection, seen = session.connection(), []
        connection.exec_driver_sql("TRUNCATE item CASCADE")  # nothing is known of its size then
        event.listen(connection, "before_cursor_execute", lambda *args: seen.append(args[2:4]))
        items.settle_items(session, Claim(1, "token", 60.0), range(8), ItemState.DONE)
        [(statement, parameters)] = seen
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    assert "Index Scan" in "".join(plan)
    assert "Seq Scan" not in "".join(plan)


def test_an_attempt_that_was_never_counted_cannot_be_put_back(place, held):
    with place.sessions.begin() as session:
        items.add_items(session, held, [1])
        items.put_back_items(session, [item.id for item in items.open_items(session, held)])
    with place.sessions() as session:
        assert by_subject(session)[1].attempts == 0


def test_planning_again_adds_only_what_is_new(place, held):
    with place.sessions.begin() as session:
        items.add_items(session, held, [1, 2])
        items.add_items(session, held, [2, 3])
        assert [item.subject_id for item in items.open_items(session, held)] == [1, 2, 3]


def test_the_overview_counts_items_by_what_happens_to_them(place, held):
    with place.sessions.begin() as session:
        items.add_items(session, held, [1, 2, 3])
        done, given_up, _ = (item.id for item in items.open_items(session, held))
        items.settle_items(session, held, [done], ItemState.DONE)
        items.settle_items(session, held, [given_up], ItemState.QUARANTINED, error="no")
    with place.sessions.begin() as session:
        now = overview(session, 1)
        (count,) = now.steps
        assert (count.label, count.step) == ("dog", "brainstorm")
        assert (count.waiting, count.running, count.done, count.quarantined) == (0, 1, 1, 1)
        assert (now.batches, now.batches_done, now.batches_waiting) == (1, 0, 0)
        delivery.release_step(session, held)
        session.flush()
        assert overview(session, 1).steps[0].waiting == 1
