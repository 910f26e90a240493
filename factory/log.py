"""Logs: columns on a terminal, JSON lines elsewhere; always on stderr, never with a secret."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from chatgenimage.db.addresses import WEB_SCHEMES, list_address_secrets
from chatgenimage.factory.foreign_text import printable, to_json
from chatgenimage.factory.settings.model import Settings

HIDDEN = "***"
ENV_KEYS = ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY")
ENV_ENDPOINT = "OPENAI_BASE_URL"
SHORTEST = 6
"""Characters. A shorter secret is not hidden: it would also match parts of ordinary words."""
URL_LOGGERS = ("httpx", "httpx2")
"""Libraries that log the URL of each request, which may contain a secret."""


def configure(settings: Settings | None = None, level: int = logging.INFO) -> None:
    """Send all log lines, also those of libraries, through one formatter to stderr."""
    chosen = settings.log_format if settings else "auto"
    is_plain = chosen == "console" or (chosen == "auto" and sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _Renderer(list_secrets(settings), is_plain=is_plain),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in URL_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class _Renderer:
    """Formats an event as one line with its secrets replaced.

    An endpoint may repeat the key that it refuses, and a database driver the URL that failed.
    """

    def __init__(self, secrets: Sequence[str], *, is_plain: bool) -> None:
        self._render: structlog.types.Processor = (
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if is_plain
            else structlog.processors.JSONRenderer(to_json)
        )
        self._is_plain = is_plain
        self._secrets = secrets

    def __call__(
        self, logger: structlog.types.WrappedLogger, name: str, event: structlog.types.EventDict
    ) -> str:
        if self._is_plain:  # JSON escapes by itself
            event = {k: printable(v) if isinstance(v, str) else v for k, v in event.items()}
        line = str(self._render(logger, name, event))
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def list_secrets(settings: Settings | None) -> Sequence[str]:
    """Return the strings to hide, longest first; each also with JSON escapes."""
    words = {os.environ.get(name, "") for name in ENV_KEYS}
    words |= {*list_address_secrets(os.environ.get(ENV_ENDPOINT, "")), *_secrets_in(settings)}
    words |= {json.dumps(word, ensure_ascii=False)[1:-1] for word in words}
    return sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True)


def _secrets_in(value: Any) -> Iterator[str]:  # noqa: ANN401  # any setting
    """Yield each secret of the settings, wherever it is nested."""
    if isinstance(value, SecretStr):
        yield from _parts(value.get_secret_value())
    elif isinstance(value, str):
        yield from list_address_secrets(value)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _secrets_in(entry)


def _parts(secret: str) -> Iterator[str]:
    """Yield the parts of a secret to hide: of an address only its secrets."""
    if "://" not in secret:  # a key, or a login
        yield from (secret, secret.partition(":")[2])
        return
    if secret.partition("://")[0] in WEB_SCHEMES:  # the address of a webhook is a secret
        yield secret
    yield from list_address_secrets(secret)
