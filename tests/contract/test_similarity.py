"""Logits of the encoders are those that their own networks compute."""

import numpy as np
import open_clip
import pytest
import torch
from transformers import AutoModel, AutoProcessor

from tests.contract import kinds

TEXTS = ["a dog", "a house"]


def logits_of(encoder, images, texts):
    cosines = encoder.embed_images(images) @ encoder.embed_texts(texts).T
    scale = encoder.logit_scale
    return scale.scale * cosines + (scale.bias or 0.0)


@pytest.mark.parametrize("kind", kinds.SAVERS["similarity"])
def test_the_logits_are_those_of_the_network(load, kinds_folder, images, kind):
    folder = kinds.save("similarity", kind, kinds_folder)
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    texts = processor.tokenizer(TEXTS, padding="max_length", max_length=16, return_tensors="pt")
    if kind.startswith("siglip"):
        del texts["attention_mask"]  # its text encoder was trained to see the padding
    with torch.inference_mode():
        pixels = processor.image_processor(images=images, return_tensors="pt")
        expected = model(**texts, **pixels).logits_per_image.numpy()
    logits = logits_of(load(kind, "similarity"), images, TEXTS)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["siglip", "siglip_1", "siglip2"])
def test_siglip_reads_lower_case_and_has_a_bias(load, kind):
    encoder = load(kind, "similarity")
    of_upper, of_lower = encoder.embed_texts(["A Dog", "a dog"])
    np.testing.assert_allclose(of_upper, of_lower, atol=1e-6)
    assert encoder.logit_scale.bias is not None


def test_clip_has_no_bias(load):
    assert load("clip", "similarity").logit_scale.bias is None
    assert load("tiny", "open_clip").logit_scale.bias is None


def test_open_clips_scale_is_the_checkpoints_unless_it_is_set(load, tiny_folder):
    encoder = load("tiny", "open_clip")
    network = open_clip.create_model_from_pretrained(f"local-dir:{tiny_folder}/open_clip")[0]
    assert encoder.logit_scale.scale == pytest.approx(network.logit_scale.exp().item())
    assert load("tiny", "open_clip", logit_scale=100.0).logit_scale.scale == 100
    assert "logit_scale" not in encoder.identity.settings
