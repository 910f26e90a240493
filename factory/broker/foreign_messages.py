"""Foreign messages: what is in a queue and was not sent by this factory is logged and dropped.

kombu and Celery raise on a message that is not of their form, which ends the worker; the message
then returns to the queue and ends the next one. Another program may write to the same Redis list
or RabbitMQ queue, so each transport gets a channel that drops what it cannot read.
"""
# ruff: noqa: ANN401  # kombu has no types

from collections.abc import Callable
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, pyamqp, redis

log = structlog.get_logger()

SHOWN_CHARS = 200
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, LookupError)
"""What Python raises on content of another form than the code expects."""


class CarefulChannel:
    """Mixin for a channel of kombu: consumers never see a message that they cannot read."""

    def basic_consume(self, *args: Any, **options: Any) -> Any:
        """Consume, and reject every message that the callback cannot read."""
        options["callback"] = _careful(options["callback"], options["queue"])
        base: Any = super()
        return base.basic_consume(*args, **options)


class RedisChannel(CarefulChannel, redis.Channel):
    """A channel of Redis; a list item that is not a message is dropped as it is read."""

    def _brpop_read(self, **options: Any) -> Any:
        base: Any = super()
        return _or_empty(base._brpop_read, **options)  # noqa: SLF001  # kombu's hook

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ARG002  # kombu's hook
        return _or_empty(super()._get, queue)


class RedisTransport(redis.Transport):
    """Redis, with careful channels."""

    Channel = RedisChannel


class AmqpChannel(CarefulChannel, pyamqp.Channel):
    """A channel of RabbitMQ."""


class AmqpConnection(pyamqp.Connection):
    """A connection to RabbitMQ, with careful channels."""

    Channel = AmqpChannel


class AmqpTransport(pyamqp.Transport):
    """RabbitMQ, with careful channels."""

    Connection = AmqpConnection


def drop_foreign_messages() -> None:
    """Give every connection that kombu opens in this process careful channels."""
    for scheme, transport in (
        ("redis", RedisTransport),
        ("rediss", RedisTransport),
        ("amqp", AmqpTransport),
        ("pyamqp", AmqpTransport),
    ):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{transport.__name__}"


def _careful(callback: Callable[[Any], Any], queue: str) -> Callable[[Any], Any]:
    """Return the callback of a queue's messages, which drops those that cannot be read."""

    def receive(message: Any) -> Any:
        """Pass a message on; report and drop one that cannot be read."""
        try:
            return callback(message)
        except UNREADABLE as error:
            _report(queue, error)
            if getattr(message, "delivery_tag", None) is not None:
                message.channel.basic_reject(message.delivery_tag, requeue=False)
            return None

    return receive


def _or_empty(read: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return read(*args, **options)
    except UNREADABLE as error:
        _report("", error)
        raise Empty from error


def _report(queue: str, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}"[:SHOWN_CHARS]
    log.warning("foreign_message_dropped", queue=queue or None, error=text)
