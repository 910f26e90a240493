"""Keys of the cache: servers under one host are distinguished by their paths."""

from dataclasses import replace

import pytest

from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from chatgenimage.workers.llm.server import Server
from chatgenimage.workers.server_config import OpenAiConfig
from tests.loopback import KEY, Loopback, says


class Memory:
    """A cache in memory."""

    def __init__(self):
        self.answers = {}

    def recall(self, key):
        return self.answers.get(key, ())

    def remember(self, key, exchanges):
        self.answers[key] = tuple(replace(one) for one in exchanges)


def test_two_deployments_under_one_host_share_no_answers():
    def answer(_request):
        word = "fur" if server.paths[-1].startswith("/v1/") else "wheels"
        return says(f'{{"features": ["{word}", "colour"]}}')

    memory = Memory()
    with Loopback(answer) as server:
        found = [
            OpenAiLanguageModel.load(server.config(base_url=url), memory)
            .describe_features("dog", seed=1)
            .value[0]
            for url in (server.url, server.url.replace("/v1", "/proxy/b/v1"), f"{server.url}/")
        ]
    assert found == ["fur", "wheels", "fur"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "api.openai.com"),
        ("https://me:hush@host.test:8443/a/v1/?api-key=hush", "host.test:8443/a/v1"),
    ],
)
def test_the_public_server_keeps_its_earlier_keys_and_no_secret_is_in_one(base_url, name):
    config = OpenAiConfig(base_url=base_url, api_key=KEY)
    assert Server.connect(config).cache_name == name
