"""The broker: the Redis that the settings name, or the factory's private one."""

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from factory.embedded import ANSWER_TIMEOUT_S, EmbeddedBroker
from factory.errors import BrokerUnavailable
from factory.settings import Settings


class ConfiguredBroker:
    """A Redis server that someone else runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ensure(self) -> None:
        """Return if the server answers.

        Raises:
            BrokerUnavailable: If it does not; the password stays hidden.
        """
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            with redis.Redis.from_url(
                _for_redis_py(self.url),
                socket_connect_timeout=ANSWER_TIMEOUT_S,
                socket_timeout=ANSWER_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            ) as client:
                client.ping()
        except (redis.RedisError, OSError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise BrokerUnavailable(
                f"no Redis answers at {hide_password(self.url)}: {reason}. Start it, correct "
                "REDIS_URL or broker_url, or leave both unset for the embedded server."
            ) from None

    def __enter__(self) -> Self:
        """Return the broker once it answers."""
        self.ensure()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the server as it is."""


def broker_url(settings: Settings) -> str:
    """Return the URL that Celery connects to, configured or embedded; may hold a password."""
    if settings.broker_url is not None:
        return settings.broker_url.get_secret_value()
    return EmbeddedBroker(settings.data_dir).url


def open_broker(settings: Settings) -> ConfiguredBroker | EmbeddedBroker:
    """Return the broker of the settings, to be used as a context."""
    if settings.broker_url is not None:
        return ConfiguredBroker(settings.broker_url.get_secret_value())
    return EmbeddedBroker(settings.data_dir)


def check_broker(settings: Settings) -> None:
    """Return if a broker that someone else runs answers; the embedded one starts when needed.

    Raises:
        BrokerUnavailable: If it does not.
    """
    if settings.broker_url is not None:
        open_broker(settings).ensure()


def hide_password(url: str) -> str:
    """Return the URL without password and query, fit for a log."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = f"{user.partition(':')[0]}:***"
    return f"{parts.scheme}://{user}{at}{host}{parts.path}"


def _for_redis_py(url: str) -> str:
    """Return the URL as redis-py spells it: Celery writes redis+socket where it writes unix."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    return f"unix://{parts.path}?{parts.query.replace('virtual_host=', 'db=')}"
