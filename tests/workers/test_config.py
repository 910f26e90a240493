import pytest
from pydantic import TypeAdapter, ValidationError

from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.painter_config import StableDiffusionConfig
from chatgenimage.workers.server_config import OpenAiConfig

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


def test_attention_slicing_is_refused_with_the_reason():
    diffusion = {"family": "stable_diffusion", "checkpoint": "a/b"}
    with pytest.raises(ValidationError, match=r"seventh of its memory.*Delete the line"):
        ADAPTER.validate_python(diffusion | {"attention_slicing": True})
    recorded = ADAPTER.validate_python(diffusion | {"attention_slicing": False})
    assert recorded == ADAPTER.validate_python(diffusion)


def test_the_key_of_an_endpoint_is_never_printed():
    assert "sk-hidden" not in repr(OpenAiConfig(api_key="sk-hidden"))
