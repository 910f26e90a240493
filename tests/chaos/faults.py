"""Kinds of faults: each returns the step or process it hit, or None if it found none."""

from chatgenimage.db.failpoints import Failpoint
from tests.chaos.process_faults import (
    OF_A_FILE,
    freeze,
    freeze_in_transaction,
    freeze_with_file,
    jump_clock,
    kill_child,
    kill_dispatcher,
    kill_submitter,
    kill_worker,
    strike_at,
    terminate,
)
from tests.chaos.server_faults import (
    crash_postgres,
    cut_postgres,
    cut_redis,
    delete_queues,
    flush_redis,
    freeze_rabbit,
    misanswer,
    refuse_acknowledgements,
    restart_postgres,
    restart_rabbit,
    restart_redis,
    send_foreign,
    swallow_postgres,
    thrice,
)
from tests.chaos.targets import (
    image_in_flight,
    waits_for_space,
)

IN_ANY_STEP = (
    *(Failpoint.AFTER_CLAIM, Failpoint.BEFORE_COMMIT, Failpoint.AFTER_COMMIT),
    Failpoint.BEFORE_ACK,
)
DISK_PATIENCE_S = 8


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


def fill_disk(scenario):
    """Fill the images' file system until a write fails, then free the space."""
    disk = scenario.deployment.disk
    disk.fill()
    try:
        return scenario.wait_for(lambda: waits_for_space(scenario), DISK_PATIENCE_S)
    finally:
        disk.free()


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
