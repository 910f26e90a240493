"""A model's server: its address and key, limits and retries, and its errors as ours."""

import json
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

from chatgenimage.workers.errors import (
    AnswerRefused,
    CheckpointNotFound,
    ConversationFailed,
    CreditSpent,
    EndpointUnavailable,
    KeyRefused,
)
from chatgenimage.workers.llm.address import HIDDEN, ServerAddress
from chatgenimage.workers.llm.request_slots import RequestSlots
from chatgenimage.workers.llm.server_errors import REDIRECTS, ServerError
from chatgenimage.workers.llm.text import clean
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.values import Exchange

if TYPE_CHECKING:
    from openai import OpenAI

PUBLIC_HOST = "api.openai.com"
NO_KEY = "no-key"
MAX_REASON_LENGTH = 300
PRICED_TOKENS = 1_000_000
MOST_TEXT_BYTES = 16 * 2**20
UNAUTHORIZED = 401
LIST_TIMEOUT_S = 10.0
SHOWN_MODELS = 12


def make_client(
    config: ServerConfig,
    timeout_s: float,
    max_retries: int,
    slots: RequestSlots | None = None,
    most_bytes: int = MOST_TEXT_BYTES,
) -> "OpenAI":
    """Return a client of the configured server; a server of your own may need no key.

    Args:
        config: Names the server and the key.
        timeout_s: Longest time until one answer is complete.
        max_retries: Of one request, on transient failures.
        slots: Limit of requests at the same time; None: one.
        most_bytes: Largest answer; a larger one is refused before it is read to its end.

    Raises:
        CheckpointNotFound: If there is no key to the public server.
    """
    from openai import OpenAI, OpenAIError

    from chatgenimage.workers.llm.http_client import CarefulClient

    address = ServerAddress.of(config.base_url)

    connect = partial(
        OpenAI,
        base_url=address.base_url,
        default_query=address.query,
        timeout=timeout_s,
        max_retries=max_retries,
        http_client=CarefulClient(slots or RequestSlots(1), most_bytes),
    )
    try:  # without a key of the profile, that of the environment
        return connect(api_key=config.api_key.get_secret_value() if config.api_key else None)
    except OpenAIError:
        client = connect(api_key=NO_KEY)
    if host_of(client) == PUBLIC_HOST:
        raise CheckpointNotFound(
            f"no key for {config.model}: set OPENAI_API_KEY, or OPENAI_BASE_URL to a server of "
            "your own, or choose the profile micro, which needs neither."
        )
    return client


def host_of(client: "OpenAI") -> str:
    """Return the server's name and port, without user and password."""
    return urlsplit(str(client.base_url)).netloc.rpartition("@")[2]


def endpoint_url(client: "OpenAI") -> str:
    """Return the server's address without user, password and query, which may hold secrets."""
    parts = urlsplit(str(client.base_url))
    return urlunsplit((parts.scheme, host_of(client), parts.path.rstrip("/"), "", ""))


def list_models(client: "OpenAI") -> list[str]:
    """Return the names in the server's list of models; asking costs nothing.

    Raises:
        openai.APIError: If the server does not answer, or refuses.
        ValueError: If the answer is not a list of models.
    """
    answer = client.models.with_raw_response.list()
    try:
        return [clean(str(listed["id"])) for listed in json.loads(answer.text)["data"]]
    except (TypeError, KeyError) as error:
        raise ValueError("not a list of models") from error


def has_model(models: list[str], model: str) -> bool:
    """Return whether a server's list has a model, as Google or Ollama may write its name."""
    return bool({model, f"models/{model}", f"{model}:latest"} & set(models))


def require_model(config: ServerConfig) -> bool:
    """Return whether the server says that it has the model; check it as far as it says anything.

    A server that has no list, or does not answer now, is asked nothing more: the first request
    shows what is wrong, and waits for a server that is down.

    Raises:
        CheckpointNotFound: If the server does not accept the key or sends the question elsewhere,
            if its list lacks the model, or if there is no key to the public server.
    """
    from openai import APIError, APIStatusError, AuthenticationError, PermissionDeniedError

    client = make_client(config, LIST_TIMEOUT_S, 0)
    if not config.check_model:
        return False
    try:
        models = list_models(client)
    except (AuthenticationError, PermissionDeniedError) as error:
        raise CheckpointNotFound(f"{refused_key(host_of(client), error.status_code)}.") from None
    except (APIError, ValueError) as error:
        if isinstance(error, APIStatusError) and error.status_code in REDIRECTS:
            refusal = ServerError.of(error)
            text = f"{config.model} at {host_of(client)}: {refusal.text}. {refusal.remedy}"
            raise CheckpointNotFound(text) from None
        return False
    if models and not has_model(models, config.model):
        raise CheckpointNotFound(
            f"{host_of(client)} has no model {config.model!r}. It offers: {_shorten(models)}. Set "
            "`model` of the family to one of them, or `check_model: false` if the server takes "
            "names that it does not list."
        )
    return bool(models)


def refused_key(server: str, status: int) -> str:
    """Return in one sentence, without its full stop, that a server refuses the key, and a remedy.

    Args:
        server: Its address or name.
        status: HTTP status, 401 or 403.
    """
    return (
        f"{server} refuses the key ({status}): set OPENAI_API_KEY, or api_key of the family, to a "
        "key of this server. If the key may ask for answers but not for the list of models, set "
        "`check_model: false`"
    )


def _shorten(models: list[str]) -> str:
    more = len(models) - SHOWN_MODELS
    return ", ".join(models[:SHOWN_MODELS]) + (f" and {more} more" if more > 0 else "")


class Server:
    """A connection to a model's server."""

    def __init__(self, client: "OpenAI", config: ServerConfig, slots: RequestSlots) -> None:
        self.client = client
        self.slots = slots
        self._config = config
        self._address = ServerAddress.of(config.base_url)

    @classmethod
    def connect(cls, config: ServerConfig, most_bytes: int = MOST_TEXT_BYTES) -> Self:
        """Return the connection; nothing is asked yet.

        Args:
            config: Names the server and the key.
            most_bytes: Largest answer that is read.

        Raises:
            CheckpointNotFound: If there is neither a key nor a server of your own, which may need
                none.
        """
        slots = RequestSlots(config.max_concurrency)
        timeout_s, retries = config.timeout_s, config.max_retries
        return cls(make_client(config, timeout_s, retries, slots, most_bytes), config, slots)

    @property
    def host(self) -> str:
        """Return the server's name and port, without user and password."""
        return host_of(self.client)

    @property
    def cache_name(self) -> str:
        """Return what distinguishes this server in keys of the cache: its host and path.

        The public server has its host alone, as all had before: it has one path.
        """
        path = urlsplit(endpoint_url(self.client)).path
        return self.host if self.host == PUBLIC_HOST else f"{self.host}{path}"

    @property
    def concurrency(self) -> int:
        """Return how many more requests may be brought now, sent or waiting; at least 1."""
        return max(1, self.slots.room)

    def cost_of(self, prompt_tokens: int | None, completion_tokens: int | None) -> float:
        """Return what the counted tokens cost; 0 for those that the server did not count."""
        sent = (prompt_tokens or 0) * self._config.prompt_price
        received = (completion_tokens or 0) * self._config.completion_price
        return (sent + received) / PRICED_TOKENS

    def describe(self, error: ServerError) -> str:
        """Return a failed request in one line, without secrets that the server may repeat."""
        reason = self._address.hide(clean(error.text).replace(self.client.api_key, HIDDEN))
        text = f"{self._config.model} at {self.host}: {reason[:MAX_REASON_LENGTH].rstrip('.')}."
        return f"{text} {error.remedy}"

    def failure(self, error: ServerError, exchange: Exchange) -> ConversationFailed:
        """Return the exception for a failed request; it carries the exchange."""
        kind = EndpointUnavailable if error.is_transient else AnswerRefused
        if error.status == UNAUTHORIZED:
            kind = KeyRefused
        if error.is_spent:
            kind = CreditSpent
        return kind(str(exchange.problem), [exchange])
