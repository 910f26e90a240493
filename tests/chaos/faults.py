"""Kinds of faults: each returns the step or process it hit, or None if it found none."""

import json
import os
import signal
import time
from contextlib import suppress

from redis import RedisError

from chatgenimage.db.failpoints import Failpoint
from chatgenimage.tasks.chain import QUEUE_NAMES
from tests.chaos.inside import ARMED, STRUCK, TRIPLING
from tests.chaos.servers import kill
from tests.chaos.targets import (
    Struck,
    any_child,
    any_worker,
    held_by,
    image_in_flight,
    names_left,
    waits_for_space,
)
from tests.foreign import FOREIGN

IN_ANY_STEP = (
    *(Failpoint.AFTER_CLAIM, Failpoint.BEFORE_COMMIT, Failpoint.AFTER_COMMIT),
    Failpoint.BEFORE_ACK,
)
OF_A_FILE = (Failpoint.BEFORE_FILE, Failpoint.AFTER_FILE)
PAINTING = ("generate", "edit", "fill")
POINT_PATIENCE_S = 6
DISK_PATIENCE_S = 8
LONGER_THAN_A_LEASE_S = 4.5
FROZEN_WITH_FILE_S = 6.5
TRIPLING_S = 2.0
REFUSING_S = 4.0
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
    struck = _arm(scenario, str(Failpoint.AFTER_FILE), "freeze_self")
    if struck:
        scenario.later(FROZEN_WITH_FILE_S, lambda: _wake(struck.pid))
    return struck


def terminate(scenario):
    """Send SIGTERM to a worker, like a service manager during a deployment."""
    worker = any_worker(scenario)
    if worker is None:
        return None
    struck = held_by(scenario, worker)
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)
    return struck


def cut_redis(scenario):
    """Close every connection to Redis."""
    held = held_by(scenario, None)
    client = scenario.deployment.broker.client()
    try:
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
    except RedisError:  # an embedded one that is not started yet
        return None
    return held


def flush_redis(scenario):
    """Delete everything in Redis."""
    held = held_by(scenario, None)
    try:
        scenario.deployment.broker.client().flushall()
    except RedisError:
        return None
    return held


def restart_redis(scenario):
    """Kill -9 Redis; it restarts empty."""
    held = held_by(scenario, None)
    scenario.deployment.broker.restart_empty(scenario.random.uniform(0.1, 1.5))
    return held


def thrice(scenario):
    """Deliver every message three times for a while."""
    switch = scenario.deployment.folder / TRIPLING
    switch.touch()
    scenario.later(TRIPLING_S, switch.unlink)
    return held_by(scenario, None)


def cut_postgres(scenario):
    """Close every connection to PostgreSQL."""
    struck = held_by(scenario, None)
    scenario.postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    return struck


def restart_postgres(scenario, how=signal.SIGINT):
    """Stop PostgreSQL cleanly, which cuts every connection, and start it again soon after."""
    struck = held_by(scenario, None)
    scenario.postgres.stop(how)
    time.sleep(scenario.random.uniform(0.2, 1.5))
    scenario.postgres.start()
    return struck


def crash_postgres(scenario):
    """Stop PostgreSQL immediately: the workers' last commits may be lost (ADR 0010)."""
    return restart_postgres(scenario, signal.SIGQUIT)


def freeze_in_transaction(scenario):
    """Stop a process inside its transaction, in which it holds locks, for longer than its lease."""
    struck = _arm(scenario, str(Failpoint.BEFORE_COMMIT), "freeze_self")
    if struck:
        scenario.later(FROZEN_WITH_FILE_S, lambda: _wake(struck.pid))
    return struck


def swallow_postgres(scenario):
    """Let every open connection to PostgreSQL be silent for ever; new ones work."""
    struck = held_by(scenario, None)
    scenario.proxy.swallow()
    return struck


def refuse_acknowledgements(scenario):
    """Let Redis close idle connections and refuse new ones for some seconds."""
    held, client = held_by(scenario, None), scenario.deployment.broker.client()
    try:
        client.config_set("timeout", 1)
        client.config_set("maxclients", 1)
        until = time.monotonic() + REFUSING_S
        scenario.wait_for(lambda: client.ping() and time.monotonic() > until, 2 * REFUSING_S)
    finally:
        client.config_set("timeout", 0)
        client.config_set("maxclients", 1000)
    return held


def send_foreign(scenario):
    """Put what no factory sent into a queue, between its messages."""
    held = held_by(scenario, None)
    try:
        scenario.deployment.broker.client().lpush(scenario.random.choice(QUEUE_NAMES), *FOREIGN)
    except RedisError:
        return None
    return held


def spoil_image(how):
    """Return a fault that damages or removes the image of a candidate whose batch is in flight."""

    def strike(scenario):
        found = image_in_flight(scenario)
        if found is None:
            return None
        struck, sha256 = found
        [path] = scenario.deployment.images_folder.rglob(f"{sha256}.png")
        scenario.deployment.spoiled[sha256] = how.__name__
        how(path)
        return struck

    return strike


def damage(path):
    """Change one byte in the middle of a file, as a bad disk does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def remove(path):
    """Delete a file."""
    path.unlink()


def jump_clock(scenario):
    """Set the wall clock of one worker ten minutes ahead or back, for some seconds."""
    clock = scenario.random.choice(list(scenario.deployment.clocks.values()))
    clock.set(scenario.random.choice((-JUMP_S, JUMP_S)))
    scenario.later(JUMPED_S, lambda: clock.set(0.0))
    return held_by(scenario, None)


def restart_rabbit(scenario):
    """Kill -9 RabbitMQ and start it again."""
    held = held_by(scenario, None)
    scenario.deployment.broker.restart()
    return held


def delete_queues(scenario):
    """Delete every queue in RabbitMQ."""
    held = held_by(scenario, None)
    scenario.deployment.broker.delete_queues()
    return held


def freeze_rabbit(scenario):
    """Let RabbitMQ answer nothing for some seconds."""
    scenario.deployment.broker.freeze()
    scenario.later(LONGER_THAN_A_LEASE_S, scenario.deployment.broker.thaw)
    return held_by(scenario, None)


def fill_disk(scenario):
    """Fill the images' file system until a write fails, then free the space."""
    disk = scenario.deployment.disk
    disk.fill()
    try:
        return scenario.wait_for(lambda: waits_for_space(scenario), DISK_PATIENCE_S)
    finally:
        disk.free()


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


def misanswer(kind, times):
    """Return a fault that spoils the next answers of the language model's server."""

    def strike(scenario):
        endpoint = scenario.endpoint
        endpoint.struck.clear()
        endpoint.misbehave(kind, times)
        try:
            return scenario.wait_for(
                lambda: Struck(endpoint.struck[0][1]) if endpoint.struck else None,
                POINT_PATIENCE_S,
            )
        finally:
            if not endpoint.struck:
                endpoint.misbehave(kind, 0)

    return strike


KILLS = {
    "kill -9 child": kill_child,
    "kill -9 worker": kill_worker,
    "kill -9 dispatcher, before it sends a message": kill_dispatcher,
    **{f"kill -9 child, {point}": strike_at(point) for point in (*IN_ANY_STEP, *OF_A_FILE)},
    **{f"kill -9 worker, {point}": strike_at(point, "kill_worker") for point in IN_ANY_STEP},
}
FROZEN = {
    "child frozen past its lease": freeze,
    "child frozen past its lease, after_file": freeze_with_file,
}
FOREIGN_MESSAGES = {"foreign messages": send_foreign}
SIGTERM = {"SIGTERM to worker": terminate}
SURROUNDINGS = {
    **SIGTERM,
    **FOREIGN_MESSAGES,
    "Redis connections cut": cut_redis,
    "Redis flushed": flush_redis,
    "Redis killed, back empty": restart_redis,
    "every message three times": thrice,
}
SUBMITTER = {"kill -9 factory run": kill_submitter}
POSTGRES = {
    "PostgreSQL connections cut": cut_postgres,
    "PostgreSQL restarted": restart_postgres,
}
SILENT = {"PostgreSQL connections silently gone": swallow_postgres}
IN_TRANSACTION = {"child frozen in its transaction": freeze_in_transaction}
REFUSED = {"Redis refuses acknowledgements": refuse_acknowledgements}
SPOILED = {"image damaged": spoil_image(damage), "image removed": spoil_image(remove)}
CLOCKS = {"wall clock of a worker jumps": jump_clock}
RABBIT = {
    "RabbitMQ killed": restart_rabbit,
    "RabbitMQ queues deleted": delete_queues,
    "RabbitMQ frozen": freeze_rabbit,
}
POSTGRES_CRASH = {"PostgreSQL crashed": crash_postgres}
DISK = {"disk full": fill_disk}
FULL_BY_DECREE = {"disk full": strike_at(Failpoint.BEFORE_FILE, "disk_full")}
"""Used if no file system can be mounted: raises the error at the failpoint before the write."""
LANGUAGE = {
    "LLM answers 429": misanswer("429", 4),
    "LLM answers 500": misanswer("500", 4),
    "LLM hangs": misanswer("hang", 3),
    "LLM sends half a JSON": misanswer("half", 1),
}


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
