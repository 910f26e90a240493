"""Broker access: the Redis or RabbitMQ in the settings, or the factory's private Redis.

All differences between the kinds of broker are in this module.
"""

from collections.abc import Sequence
from typing import Any, Self

from amqp.exceptions import AMQPError
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerDown

from chatgenimage.db.addresses import show_address
from chatgenimage.factory.broker.embedded_redis import ANSWER_TIMEOUT_S, EmbeddedBroker
from chatgenimage.factory.broker.foreign_messages import drop_foreign_messages
from chatgenimage.factory.errors import BrokerUnavailable
from chatgenimage.factory.settings.model import AMQP_SCHEMES, Settings

drop_foreign_messages()  # before the first connection: kombu keeps the transport that it found

IDLE_TIMEOUT_S = 30
LONGER_THAN_ANY_STEP = {"x-consumer-timeout": 24 * 3600 * 1000}
"""Milliseconds. By default RabbitMQ takes back a message that is not acknowledged within 30
minutes, which ends Celery's worker; the limit of a step is `delivery.time_limit_s`."""


class ConfiguredBroker:
    """A server that the factory uses but does not manage."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ensure(self) -> None:
        """Check that the server answers.

        Raises:
            BrokerUnavailable: If it does not; the message hides the password.
        """
        options = transport_options(self.url, answer_timeout_s=ANSWER_TIMEOUT_S)
        try:
            with Connection(
                self.url, connect_timeout=ANSWER_TIMEOUT_S, transport_options=options
            ) as connection:
                connection.ensure_connection(max_retries=0)
        except (BrokerDown, AMQPError, OSError, ValueError) as error:
            raise BrokerUnavailable(
                f"no broker answers at {show_address(self.url)}: {_why(error)}. Start it, correct "
                "REDIS_URL or broker_url, or leave both unset for the embedded server."
            ) from None

    def revive(self) -> None:
        """Do nothing: the factory does not manage this server."""

    def __enter__(self) -> Self:
        """Return the broker once it answers."""
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the server as it is."""


def broker_url(settings: Settings) -> str:
    """Return the URL that Celery connects to, configured or embedded; may hold a password."""
    if settings.broker_url is not None:
        return settings.broker_url.get_secret_value()
    return EmbeddedBroker(settings.data_dir).url


def open_broker(settings: Settings) -> ConfiguredBroker | EmbeddedBroker:
    """Return the broker of the settings, a context manager."""
    if settings.broker_url is not None:
        return ConfiguredBroker(settings.broker_url.get_secret_value())
    return EmbeddedBroker(settings.data_dir)


def check_broker(settings: Settings) -> None:
    """Check that a configured broker answers; the embedded one starts when needed.

    Raises:
        BrokerUnavailable: If it does not.
    """
    if settings.broker_url is not None:
        open_broker(settings).ensure()


def transport_options(
    url: str, *, answer_timeout_s: float = IDLE_TIMEOUT_S, visibility_timeout_s: int | None = None
) -> dict[str, Any]:
    """Return transport options that detect a lost message or connection early.

    Args:
        url: Of the broker.
        answer_timeout_s: How long a broker that accepted a connection may be silent.
        visibility_timeout_s: After this time Redis gives a message to another worker.
    """
    at_once: dict[str, Any] = {"max_retries": 0}  # the caller retries, and can be stopped
    if is_amqp(url):
        return at_once | {"read_timeout": answer_timeout_s, "write_timeout": answer_timeout_s}
    options = at_once | {
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",
        "socket_connect_timeout": ANSWER_TIMEOUT_S,
        "socket_timeout": answer_timeout_s,
        "socket_keepalive": not url.startswith("redis+socket"),
        "health_check_interval": 25,
    }
    return options | ({"visibility_timeout": visibility_timeout_s} if visibility_timeout_s else {})


def queue_arguments(url: str) -> dict[str, Any] | None:
    """Return the arguments with which each queue is declared."""
    return LONGER_THAN_ANY_STEP if is_amqp(url) else None


def count_waiting(app: Celery, queues: Sequence[str]) -> dict[str, int]:
    """Return how many messages wait in each queue, not counting those that a worker holds.

    Raises:
        BrokerDown: If it does not answer.
    """
    pool: Any = app.pool  # of connections; celery-types says of producers
    with pool.acquire(block=True) as connection:
        count = _count_amqp if is_amqp(connection.as_uri()) else _count_redis
        try:
            return count(connection.default_channel, queues)
        except (BrokerDown, *connection.connection_errors, *connection.channel_errors) as error:
            connection.collect()
            raise BrokerDown(f"{connection.as_uri()}: {_why(error)}") from error


def _count_redis(channel: Any, queues: Sequence[str]) -> dict[str, int]:  # noqa: ANN401
    """Ask for all lengths in one round trip, which kombu would not do."""
    with channel.client.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.llen(queue)
        return dict(zip(queues, pipe.execute(), strict=True))


def _count_amqp(channel: Any, queues: Sequence[str]) -> dict[str, int]:  # noqa: ANN401
    """Declare the queues as workers do: this creates missing ones and returns their lengths."""
    return {
        queue: channel.queue_declare(
            queue, durable=True, auto_delete=False, arguments=LONGER_THAN_ANY_STEP
        ).message_count
        for queue in queues
    }


def _why(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def is_amqp(url: str) -> bool:
    """Return whether the URL names a RabbitMQ."""
    return url.startswith(AMQP_SCHEMES)
