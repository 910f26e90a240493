"""Real worker processes whose steps only sleep: lost work is recovered automatically."""

import pytest
from sqlalchemy import select

from chatgenimage.db.models import Item, Step
from chatgenimage.db.states import ItemState, StepState
from chatgenimage.factory.processes.liveness import probe
from chatgenimage.tasks.item_lifecycle import DIED
from tests.factory.sleeping import HANG, KILL, KILLER, LOSE_DEVICE, PASS_SIZE, TAKE_LONG, WAIT
from tests.factory.sleeping_runs import (
    PATIENCE_S,
    assert_whole,
    count_items,
    has_claimed,
    is_done,
    model_child,
    sleep,
    submit_run,
    wait_for,
    worker,
)

pytestmark = pytest.mark.processes

TIME_LIMIT_S = 10


def test_a_dead_worker_s_step_is_taken_over_at_once_and_a_stopped_one_gives_the_rest_back(
    place, settings, tmp_path
):
    sleep(place, WAIT)
    submit_run(place, settings)
    with worker(settings, tmp_path) as first, worker(settings, tmp_path) as second:
        for process in (first, second):
            wait_for(lambda process=process: has_claimed(place, process))
        sleep(place, 2)
        first.kill()
        child = model_child(second)
        assert "spawn_main" in " ".join(child.cmdline())  # a forked child cannot use CUDA
        took_s = wait_for(lambda: not has_claimed(place, first))
        assert took_s < settings.delivery.lease_s / 2
        second.terminate()
        assert second.wait(PATIENCE_S) == 0
        assert not child.is_running()
    with place.sessions() as session:
        assert StepState.RUNNING not in set(session.scalars(select(Step.state)))
    assert 0 < count_items(place, ItemState.DONE) < 32
    assert count_items(place, ItemState.QUARANTINED) == 0


def test_a_worker_that_lost_its_device_gives_its_step_back_and_ends_with_an_error(
    place, settings, tmp_path
):
    sleep(place, LOSE_DEVICE)
    run_id = submit_run(place, settings)
    with worker(settings, tmp_path) as process:
        assert process.wait(PATIENCE_S) == 1
    assert "unspecified launch failure" in (tmp_path / "log").read_text()
    assert "worker 'all' stopped after an error" in (tmp_path / "log").read_text().splitlines()[-1]
    with place.sessions() as session:
        assert StepState.RUNNING not in set(session.scalars(select(Step.state)))
        assert set(session.scalars(select(Item.attempts))) == {0}
    sleep(place, 0)
    with worker(settings, tmp_path):
        wait_for(lambda: is_done(place, run_id))
    assert_whole(place)


@pytest.mark.parametrize("settings", [{"max_attempts": 2}], indirect=True, ids=[""])
def test_an_item_that_kills_its_worker_is_quarantined_alone(place, settings, tmp_path):
    sleep(place, KILL)
    run_id = submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path, **{PASS_SIZE: "4"}) as process:
        wait_for(lambda: is_done(place, run_id))
        assert process.poll() is None
    with place.sessions() as session:
        made = session.scalars(
            select(Item).join(Item.step).where(Step.name == "generate").order_by(Item.subject_id)
        ).all()
        killers = session.scalars(select(Item).where(Item.state == ItemState.QUARANTINED)).all()
    assert [item.subject_id for item in killers] == [KILLER]
    assert killers[0].error == f"{DIED}: process exited prematurely: signal 9 (SIGKILL)"
    assert "child_lost" in (tmp_path / "log").read_text()
    assert [item.attempts for item in made] == [2, 2, 2, 2]


SHORT = pytest.mark.parametrize(
    "settings", [{"max_attempts": 1, "time_limit_s": TIME_LIMIT_S}], indirect=True, ids=[""]
)


@pytest.mark.slow
@SHORT
def test_a_pass_that_takes_too_long_is_given_up_before_its_worker_s_child_must_be_killed(
    place, settings, tmp_path
):
    sleep(place, TAKE_LONG)
    run_id = submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path) as process:
        wait_for(lambda: count_items(place, ItemState.DONE))
        child = model_child(process)
        wait_for(lambda: is_done(place, run_id))
        assert child.is_running()
    with place.sessions() as session:
        [given_up] = session.scalars(select(Item).where(Item.state == ItemState.QUARANTINED))
    assert given_up.subject_id == KILLER
    assert "took too long for delivery.time_limit_s" in given_up.error


@pytest.mark.slow
@SHORT
def test_a_hanging_pass_ends_at_its_time_limit_and_another_child_continues(
    place, settings, tmp_path
):
    sleep(place, HANG)
    run_id = submit_run(place, settings, labels=["dog"])
    with worker(settings, tmp_path) as process:
        wait_for(lambda: count_items(place, ItemState.READY) == 4)
        hung = model_child(process)
        hung_s = wait_for(lambda: probe_while(settings, not hung.is_running()))
        assert hung_s > TIME_LIMIT_S / 2
        sleep(place, 0)
        wait_for(lambda: is_done(place, run_id))
        assert model_child(process) != hung
    assert count_items(place, ItemState.QUARANTINED) == 0


def probe_while(settings, condition):
    """Return the condition; checks the worker's heartbeat while it hangs."""
    return probe(settings, "all") < PATIENCE_S and condition
