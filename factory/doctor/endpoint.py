"""Check of a model's server: it answers, accepts the key and lists the model."""

from typing import TYPE_CHECKING

from chatgenimage.db.addresses import show_address
from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.llm.server import (
    endpoint_url,
    has_model,
    list_models,
    make_client,
    refused_key,
)
from chatgenimage.workers.llm.server_errors import REDIRECTS, ServerError
from chatgenimage.workers.server_config import ServerConfig

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

NAME = "endpoint"
PATIENCE_S = 10.0
SHOWN = 5
NO_LIST = (404, 405)
KEY_REFUSED = (401, 403)


def look_at_endpoint(config: ServerConfig) -> Finding:
    """Ask the server for its list of models, which costs nothing; return the finding."""
    try:
        client = make_client(config, PATIENCE_S, 0)
    except CheckpointNotFound as error:
        return Finding(NAME, Health.WRONG, str(error).rstrip("."))
    return _ask(client, config)


def _ask(client: "OpenAI", config: ServerConfig) -> Finding:
    """Return what is found when a server's models are listed."""
    from openai import APIConnectionError, APIStatusError

    url = show_address(endpoint_url(client))
    try:
        models = list_models(client)
    except APIStatusError as error:
        return _explain(url, error, config)
    except APIConnectionError:
        text = f"nothing answers at {url}: start the server, or correct OPENAI_BASE_URL"
        return Finding(NAME, Health.WRONG, text)
    except ValueError:
        text = f"the server at {url} is not OpenAI-compatible: correct OPENAI_BASE_URL"
        return Finding(NAME, Health.WRONG, text)
    return _judge(url, models, config)


def _explain(url: str, error: "APIStatusError", config: ServerConfig) -> Finding:
    """Return the finding about a server that answers with an error status."""
    status = error.status_code
    if status in NO_LIST:
        return Finding(NAME, Health.OK, f"{url} answers, without a list of models")
    if status in KEY_REFUSED:
        health = Health.WRONG if config.check_model else Health.WARNING
        return Finding(NAME, health, refused_key(url, status))
    if status in REDIRECTS:
        refusal = ServerError.of(error)
        text = f"at {url}, {refusal.text}. {refusal.remedy.rstrip('.')}"
        return Finding(NAME, Health.WRONG, text)
    text = f"{url} answers {status}: see the server's log, or try again later"
    return Finding(NAME, Health.WRONG, text)


def _judge(url: str, models: list[str], config: ServerConfig) -> Finding:
    model = config.model
    if not models or has_model(models, model):
        return Finding(NAME, Health.OK, f"{url} accepts the key and has {model}")
    more = f" and {len(models) - SHOWN} more" if len(models) > SHOWN else ""
    text = (
        f"{url} does not list {model!r}; it lists {', '.join(models[:SHOWN])}{more}. Set the "
        "family's `model` to one of them, or `check_model: false` if this server accepts any name"
    )
    return Finding(NAME, Health.WRONG if config.check_model else Health.WARNING, text)
