"""Faults of the processes: killed, frozen or stopped, anywhere or at a failpoint."""

import json
import os
import signal
from contextlib import suppress

from chatgenimage.db.failpoints import Failpoint
from tests.chaos.inside import ARMED, STRUCK
from tests.chaos.servers import kill
from tests.chaos.targets import (
    Struck,
    any_child,
    any_worker,
    held_by,
    names_left,
)

OF_A_FILE = (Failpoint.BEFORE_FILE, Failpoint.AFTER_FILE)
PAINTING = ("generate", "edit", "fill")
POINT_PATIENCE_S = 6
LONGER_THAN_A_LEASE_S = 4.5
FROZEN_WITH_FILE_S = 6.5
JUMP_S = 600.0
JUMPED_S = 5.0


def kill_child(scenario):
    """Kill -9 the process that computes."""
    found = any_child(scenario)
    if found is None:
        return None
    worker, child = found
    struck = held_by(scenario, worker)
    kill(child)
    return struck


def kill_worker(scenario):
    """Kill -9 the main process only: its child, its dispatcher and its broker must end with it."""
    worker = any_worker(scenario)
    if worker is None:
        return None
    struck = held_by(scenario, worker)
    kill(worker)
    return struck


def kill_submitter(scenario):
    """Kill -9 `factory run`, which submitted and waits."""
    process = scenario.deployment.processes["run"]
    struck = held_by(scenario, None)
    kill(process.pid)
    process.wait()
    return struck


def freeze(scenario):
    """Stop the computing process for longer than its lease; it resumes where it was."""
    found = any_child(scenario)
    if found is None:
        return None
    worker, child = found
    struck = held_by(scenario, worker)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGSTOP)
    scenario.later(LONGER_THAN_A_LEASE_S, lambda: _wake(child))
    return struck


def freeze_with_file(scenario):
    """Stop a process that stored images but no rows, until another one did its work."""
    return _freeze_at(scenario, Failpoint.AFTER_FILE)


def terminate(scenario):
    """Send SIGTERM to a worker, like a service manager during a deployment."""
    worker = any_worker(scenario)
    if worker is None:
        return None
    struck = held_by(scenario, worker)
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)
    return struck


def freeze_in_transaction(scenario):
    """Stop a process inside its transaction, in which it holds locks, for longer than its lease."""
    return _freeze_at(scenario, Failpoint.BEFORE_COMMIT)


def jump_clock(scenario):
    """Set the wall clock of one worker ten minutes ahead or back, for some seconds."""
    clock = scenario.random.choice(list(scenario.deployment.clocks.values()))
    clock.set(scenario.random.choice((-JUMP_S, JUMP_S)))
    scenario.later(JUMPED_S, lambda: clock.set(0.0))
    return held_by(scenario, None)


def strike_at(point, action="kill_self"):
    """Return a fault at a failpoint, in a random step."""

    def strike(scenario):
        steps = names_left(scenario)
        if point in OF_A_FILE:
            steps = [name for name in steps if name in PAINTING]
        step = scenario.random.choice(steps) if steps else "none"
        return _arm(scenario, f"{point}.{step}", action)

    return strike


def kill_dispatcher(scenario):
    """Kill -9 a worker's main process after its dispatcher committed and before it sent messages.

    It sends a message when a step is given back, so a child is killed first.
    """
    return _arm(
        scenario, str(Failpoint.BEFORE_RING), "kill_self", provoke=lambda: kill_child(scenario)
    )


def _freeze_at(scenario, point):
    """Stop the next process that reaches a point, and let it continue later."""
    struck = _arm(scenario, str(point), "freeze_self")
    if struck:
        scenario.later(FROZEN_WITH_FILE_S, lambda: _wake(struck.pid))
    return struck


def _arm(scenario, name, action, provoke=lambda: None):
    """Arm a failpoint and wait until a process reaches it; disarm it if none does."""
    folder = scenario.deployment.folder
    told, armed = folder / STRUCK / f"{name}.json", folder / ARMED / name
    told.unlink(missing_ok=True)
    armed.with_suffix(".new").write_text(action)
    armed.with_suffix(".new").rename(armed)
    provoke()
    scenario.wait_for(told.exists, POINT_PATIENCE_S)
    armed.unlink(missing_ok=True)
    if not told.exists():
        return None
    struck = json.loads(told.read_text())
    return Struck(struck["step"], struck["batch_id"], struck["pid"])


def _wake(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
