import pytest
from pydantic import TypeAdapter, ValidationError

from chatgenimage.workers.config import FamilyConfig, OpenAiConfig, StableDiffusionConfig

ADAPTER = TypeAdapter(FamilyConfig)


def test_the_family_key_chooses_the_settings_class():
    config = ADAPTER.validate_python({"family": "stable_diffusion", "checkpoint": "a/b"})
    assert isinstance(config, StableDiffusionConfig)
    assert config.size_wh == (512, 512)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="guidance"):
        ADAPTER.validate_python(
            {"family": "stable_diffusion", "checkpoint": "a/b", "guidance": 7.5}
        )


def test_the_key_of_an_endpoint_is_never_printed():
    assert "sk-hidden" not in repr(OpenAiConfig(api_key="sk-hidden"))
