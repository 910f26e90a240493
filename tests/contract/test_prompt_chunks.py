"""Conditioning of pipelines on prompts of several chunks."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

from chatgenimage.workers.prompt_chunks import conditioning, split_prompt, unread_end

LONG_NEGATIVE = "blur, dark, grain, noise, text"


@pytest.fixture(scope="module")
def pipeline(tiny_folder):
    return StableDiffusionPipeline.from_pretrained(tiny_folder / "stable_diffusion")


def encode(pipeline, text):
    return pipeline.encode_prompt(text, "cpu", 1, do_classifier_free_guidance=False)[0]


def test_a_short_prompt_is_passed_on_as_it_is(pipeline):
    chunks = split_prompt(pipeline, "a dog")
    assert chunks == ("a dog",)
    arguments = conditioning(pipeline, [chunks, ("a cat",)], "blur")
    assert arguments == {"prompt": ["a dog", "a cat"], "negative_prompt": ["blur", "blur"]}
    # Some pipelines of other architectures guide only if they are given a negative prompt.
    assert conditioning(pipeline, [chunks], "")["negative_prompt"] == [""]


@torch.inference_mode()
def test_the_chunks_are_encoded_one_by_one(pipeline):
    prompts = [split_prompt(pipeline, "a dog in a forest."), split_prompt(pipeline, "a cat")]
    arguments = conditioning(pipeline, prompts, LONG_NEGATIVE)
    negative = split_prompt(pipeline, LONG_NEGATIVE)
    assert len(negative) == 3
    wanted = torch.cat([encode(pipeline, text) for text in ("a dog in a forest.", "", "")], dim=1)
    avoided = torch.cat([encode(pipeline, text) for text in negative], dim=1)
    torch.testing.assert_close(arguments["prompt_embeds"][:1], wanted)
    torch.testing.assert_close(arguments["negative_prompt_embeds"][1:], avoided)
    assert arguments["prompt_embeds"].shape == (2, 3 * 16, 16)


@torch.inference_mode()
def test_an_xl_pipeline_gets_the_pooled_vector_of_the_first_chunk(tiny_folder):
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_folder / "stable_diffusion_xl")
    first, second = split_prompt(pipeline, "a dog in a city, a forest")
    arguments = conditioning(pipeline, [(first, second)], "blur")
    parts = [pipeline.encode_prompt(text, device="cpu") for text in (first, second, "blur", "")]
    expected = {
        "prompt_embeds": torch.cat([parts[0][0], parts[1][0]], dim=1),
        "pooled_prompt_embeds": parts[0][2],
        "negative_prompt_embeds": torch.cat([parts[2][0], parts[3][0]], dim=1),
        "negative_pooled_prompt_embeds": parts[2][2],
    }
    torch.testing.assert_close(arguments, expected)


def test_without_a_negative_prompt_xl_guides_by_zeros(tiny_folder):
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_folder / "stable_diffusion_xl")
    assert pipeline.config.force_zeros_for_empty_prompt
    assert conditioning(pipeline, [("a dog",)], "") == {"prompt": ["a dog"]}
    of_chunks = conditioning(pipeline, [split_prompt(pipeline, "a dog in a city, a forest")], "")
    assert set(of_chunks) == {"prompt_embeds", "pooled_prompt_embeds"}


class Painter:
    """A pipeline of another architecture, which reads the first 6 tokens."""

    def __init__(self, tokenizer):
        self.components = {"vae": None, "tokenizer": None, "tokenizer_2": tokenizer}
        self.tokenizer_2 = tokenizer

    def __call__(self, prompt, max_sequence_length=8):
        """Paint nothing."""


def test_a_pipeline_that_takes_no_chunks_says_what_it_cuts(pipeline):
    painter = Painter(pipeline.tokenizer)
    assert unread_end(painter, "a dog") == ""
    assert unread_end(painter, "a dog or cat") == "cat"
    assert split_prompt(painter, "a dog " * 99) == ("a dog " * 99,)
