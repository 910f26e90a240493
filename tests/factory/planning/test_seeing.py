"""Questions about images in a plan."""

import pytest

from chatgenimage.db.run_times import MeanTokens
from chatgenimage.factory.planning.seeing import plan_seeing
from chatgenimage.factory.planning.work import PlannedItems
from chatgenimage.factory.settings.model import load_settings

SEES = {"family": "openai_vision", "model": "sees", "prompt_price": 1.0, "completion_price": 10.0}
WORK = [PlannedItems(step, 10, 10, 10, 10) for step in ("label", "filter", "edit")]


def settings_with(*keys):
    api = load_settings("api")
    families = dict.fromkeys(keys, SEES)
    roles = {**api.roles, "scoring": [*api.roles["scoring"], *({"judging"} & set(keys))]}
    return load_settings("api", families=families, roles=roles)


def test_captions_and_judgements_have_their_number_and_price():
    found = plan_seeing(settings_with("captioning", "judging"), WORK, {})
    assert found.questions == {"caption": 10, "judgement": 30}
    assert found.cost == pytest.approx((10 * (1100 + 600) + 30 * (1050 + 50)) / 1_000_000)
    assert found.source == "assumed"


def test_tokens_of_earlier_runs_replace_the_assumed_ones():
    known = {"caption": MeanTokens(100, 10, 5)}
    found = plan_seeing(settings_with("captioning"), WORK, known)
    assert found.cost == pytest.approx(10 * (100 + 100) / 1_000_000)
    assert found.source == "measured"


def test_without_a_server_that_sees_nothing_is_asked():
    assert plan_seeing(load_settings("api"), WORK, {}) is None
