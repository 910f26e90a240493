"""Faults of the servers around the workers: Redis, PostgreSQL, RabbitMQ and a language model."""

import signal
import time

from redis import RedisError

from chatgenimage.tasks.chain import QUEUE_NAMES
from tests.chaos.inside import TRIPLING
from tests.chaos.process_faults import LONGER_THAN_A_LEASE_S, POINT_PATIENCE_S
from tests.chaos.targets import (
    Struck,
    held_by,
)
from tests.foreign import FOREIGN

TRIPLING_S = 2.0
REFUSING_S = 4.0


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
