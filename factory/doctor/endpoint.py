"""Check of the language model's server: it answers, accepts the key and lists the model."""

import json
from typing import TYPE_CHECKING

from chatgenimage.db.addresses import show_address
from chatgenimage.factory.doctor.findings import Finding, Health
from chatgenimage.workers.config import OpenAiConfig
from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.llm.endpoint import endpoint_url, make_client
from chatgenimage.workers.llm.text import clean

if TYPE_CHECKING:
    from openai import OpenAI

NAME = "endpoint"
PATIENCE_S = 10.0
SHOWN = 5


def look_at_endpoint(config: OpenAiConfig) -> Finding:
    """Ask the server for its list of models, which costs nothing; return the finding."""
    try:
        client = make_client(config, PATIENCE_S, 0)
    except CheckpointNotFound as error:
        return Finding(NAME, Health.WARNING, str(error))
    return _ask(client, config.model)


def _ask(client: "OpenAI", model: str) -> Finding:
    from openai import (
        APIConnectionError,
        APIStatusError,
        AuthenticationError,
        NotFoundError,
        PermissionDeniedError,
    )

    url = show_address(endpoint_url(client))
    try:
        answer = client.models.with_raw_response.list()
        models = [clean(str(listed["id"])) for listed in json.loads(answer.text)["data"]]
    except NotFoundError:
        return Finding(NAME, Health.OK, f"{url} answers, without a list of models")
    except (AuthenticationError, PermissionDeniedError) as error:
        text = f"{url} refuses the key ({error.status_code}): correct OPENAI_API_KEY"
        return Finding(NAME, Health.WRONG, text)
    except APIConnectionError:
        text = f"nothing answers at {url}: start the server, or correct OPENAI_BASE_URL"
        return Finding(NAME, Health.WRONG, text)
    except APIStatusError as error:
        text = f"{url} answers {error.status_code}: see the server's log, or try again later"
        return Finding(NAME, Health.WRONG, text)
    except (ValueError, TypeError, KeyError):
        text = f"the server at {url} is not OpenAI-compatible: correct OPENAI_BASE_URL"
        return Finding(NAME, Health.WRONG, text)
    return _judge(url, models, model)


def _judge(url: str, models: list[str], model: str) -> Finding:
    if not models or {model, f"models/{model}", f"{model}:latest"} & set(models):
        return Finding(NAME, Health.OK, f"{url} accepts the key and has {model}")
    more = f" and {len(models) - SHOWN} more" if len(models) > SHOWN else ""
    text = (
        f"{url} does not list {model!r}; it lists {', '.join(models[:SHOWN])}{more}. Set the "
        "family's `model` to one of them, unless this server accepts any name"
    )
    return Finding(NAME, Health.WARNING, text)
