"""Random checkpoints of SmolVLM and SmolVLM2, as published."""

import pytest
from transformers import (
    GPT2Tokenizer,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from tests.contract.tiny_chats import TEXT, VISION, letters, special_ids, template


def save_smolvlm(folder):
    """Like HuggingFaceTB/SmolVLM-256M-Instruct."""
    start, end, image = "<|im_start|>", "<end_of_utterance>", "<image>"
    around = ["<fake_token_around_image>", "<global-img>", image]
    tokenizer = GPT2Tokenizer(
        vocab=letters(start, end, *around),
        merges=[],
        bos_token=start,
        eos_token=end,
        pad_token=start,
        unk_token=start,
        extra_special_tokens=around,
    )
    config = Idefics3Config(
        text_config={**TEXT, **special_ids(tokenizer), "model_type": "llama"},
        vision_config={**VISION, "image_size": 32, "patch_size": 8},
        image_token_id=tokenizer.convert_tokens_to_ids(image),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    images = Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=template("<image>")
    ).save_pretrained(folder)


def save_smolvlm2(folder):
    """Like HuggingFaceTB/SmolVLM2-256M-Video-Instruct, whose processor names numbers in words."""
    pytest.importorskip("num2words")
    end = "<end_of_utterance>"
    named = {
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "image_token": "<image>",
        "end_of_utterance_token": end,
    }
    start = "<|im_start|>"
    tokenizer = GPT2Tokenizer(
        vocab=letters(start, *named.values()),
        merges=[],
        bos_token=start,
        eos_token=end,
        pad_token=start,
        unk_token=start,
        extra_special_tokens=named,
    )
    config = SmolVLMConfig(
        text_config={**TEXT, **special_ids(tokenizer), "model_type": "llama"},
        vision_config={**VISION, "image_size": 32, "patch_size": 8},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    SmolVLMProcessor(
        SmolVLMImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32}),
        tokenizer,
        SmolVLMVideoProcessor(),
        image_seq_len=4,
        chat_template=template("<image>"),
    ).save_pretrained(folder)


SAVERS = {"smolvlm": save_smolvlm, "smolvlm2": save_smolvlm2}
