"""Families that a profile may have, and the role that loads them without being asked."""

import pytest
import yaml

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import find_profile

JUDGE = {"family": "openai_vision", "model": "seer"}


@pytest.fixture
def load(tmp_path):
    """Return a function that loads the micro profile with a judge and other roles."""

    def load(roles=None, **families):
        content = yaml.safe_load(find_profile("micro").read_text(encoding="utf-8"))
        content["families"] |= families
        content["roles"] = roles or content["roles"]
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_settings(path)

    return load


def test_a_judge_is_loaded_by_the_role_that_filters(load):
    assert load(judging=JUDGE).roles["scoring"] == ("similarity", "judging")
    assert load().roles["scoring"] == ("similarity",)


def test_a_role_that_names_the_judge_keeps_it_to_itself(load):
    roles = {"scoring": ["similarity"], "labeling": ["captioning", "judging"]}
    assert load(roles, judging=JUDGE).roles["scoring"] == ("similarity",)


@pytest.mark.parametrize("roles", [{"scoring": 3}, {"scoring": [{"a": 1}]}, ["scoring"]])
def test_what_is_wrong_with_roles_is_still_said(load, roles):
    with pytest.raises(SettingsError, match="roles"):
        load(roles, judging=JUDGE)
