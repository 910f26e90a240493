"""Silent broker: a worker that stops does not wait for each answer that never comes.

Celery closes each consumer, channel and connection in turn. With AMQP it waits for an answer each
time, which together takes minutes if the broker accepted the connections and then became silent.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

import structlog
from celery.signals import worker_ready, worker_shutting_down

from chatgenimage.factory.broker.broker import check_broker
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.settings.model import Settings

log = structlog.get_logger()

CHECK_S = 5.0
"""After SIGTERM the broker is checked this often."""


def cut_connections_when_silent(settings: Settings) -> None:
    """Once this worker gets SIGTERM, close its AMQP connections as soon as the broker is silent."""
    consumers: list[Any] = []

    @worker_ready.connect(weak=False)
    def _remember(sender: Any, **_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Keep the consumer of this worker, which has the connections."""
        consumers[:] = [sender]

    @worker_shutting_down.connect(weak=False)
    def _watch(**_: Any) -> None:  # noqa: ANN401  # Celery's signature
        """Start `watch` in a thread, because this runs inside a signal handler."""
        threading.Thread(target=watch, name="silent_broker", daemon=True).start()

    def watch() -> None:
        """Look at the broker until it is away, then close the sockets."""
        sockets = [sock for consumer in consumers for sock in _sockets_of(consumer)]
        while sockets:
            time.sleep(CHECK_S)
            try:
                check_broker(settings)
            except BrokerUnavailable as error:
                log.warning("broker_silent_at_shutdown", error=str(error))
                _shut(sockets)
                return


def _sockets_of(consumer: Any) -> list[socket.socket]:  # noqa: ANN401  # Celery has no types
    """Return the sockets of a worker's AMQP connections; Redis has a timeout of its own."""
    events = consumer.event_dispatcher
    connections = [consumer.connection, events and events.connection]
    transports = [getattr(known and known.connection, "transport", None) for known in connections]
    found = [getattr(transport, "sock", None) for transport in transports]
    return [each for each in found if each is not None]


def _shut(sockets: list[socket.socket]) -> None:
    for each in sockets:
        with suppress(OSError):  # closed meanwhile
            each.shutdown(socket.SHUT_RDWR)
