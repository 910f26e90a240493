"""Random vision-language checkpoints, as published."""

from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BartTokenizer,
    CLIPImageProcessor,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GemmaTokenizer,
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

WIDTH = 16
TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.5,
}
VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}
TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% for part in message.content -%}
{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}
{%- endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def letters(*special):
    """Return a vocabulary of bytes and special words."""
    names = [*special, *sorted(ByteLevel.alphabet())]
    return {name: index for index, name in enumerate(names)}


def template(image):
    """Return a chat template with an architecture's words for an image."""
    return TEMPLATE.replace("IMAGE", image)


def qwen_tokenizer(*special):
    """Return Qwen's tokenizer with bytes as its only words."""
    names = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *special)
    return Qwen2Tokenizer(vocab=letters(*names), merges=[], extra_special_tokens=list(names[1:]))


QWEN_WORDS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def qwen_ids(tokenizer):
    """Return the numbers of the words for images."""
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(QWEN_WORDS))
    return {
        "vision_start_token_id": start,
        "vision_end_token_id": end,
        "image_token_id": image,
        "video_token_id": video,
    }


def qwen_text(tokenizer):
    return {
        **TEXT,
        "vocab_size": len(tokenizer),
        "head_dim": WIDTH // 2,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "pad_token_id": tokenizer.pad_token_id,
    }


def save_qwen2_5_vl(folder):
    """Like Qwen/Qwen2.5-VL-3B-Instruct."""
    tokenizer = qwen_tokenizer(*QWEN_WORDS)
    config = Qwen2_5_VLConfig(
        text_config={
            **qwen_text(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            **VISION,
            "depth": 1,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": WIDTH,
            "window_size": 32,
            "fullatt_block_indexes": [0],
        },
        **qwen_ids(tokenizer),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"patch_size": 8, "size": {"shortest_edge": 16 * 16, "longest_edge": 64 * 64}}
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**sizes),
        tokenizer,
        Qwen2VLVideoProcessor(**sizes),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)


def save_qwen3_vl(folder, *, is_tied=False):
    """Like Qwen/Qwen3-VL-8B-Instruct; in the smaller ones the last layer is tied to the first."""
    tokenizer = qwen_tokenizer(*QWEN_WORDS)
    config = Qwen3VLConfig(
        text_config={
            **qwen_text(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            **VISION,
            "depth": 1,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": WIDTH,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        **qwen_ids(tokenizer),
        tie_word_embeddings=is_tied,
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"patch_size": 8, "size": {"shortest_edge": 16 * 16, "longest_edge": 64 * 64}}
    Qwen3VLProcessor(
        Qwen2VLImageProcessor(**sizes),
        tokenizer,
        Qwen3VLVideoProcessor(**sizes),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)


def special_ids(tokenizer):
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def save_internvl(folder):
    """Like OpenGVLab/InternVL3-1B-hf."""
    words = ("<img>", "</img>", "<IMG_CONTEXT>", "<video>")
    names = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *words)
    tokenizer = Qwen2Tokenizer(
        vocab=letters(*names),
        merges=[],
        extra_special_tokens={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )
    config = InternVLConfig(
        text_config={**qwen_text(tokenizer), "model_type": "qwen2"},
        vision_config={**VISION, "image_size": [32, 32], "patch_size": [8, 8]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    InternVLForConditionalGeneration(config).save_pretrained(folder)
    images = GotOcr2ImageProcessor(size={"height": 32, "width": 32}, crop_to_patches=True)
    InternVLProcessor(
        images,
        tokenizer,
        InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=template("<IMG_CONTEXT>\n"),
    ).save_pretrained(folder)


def save_gemma3(folder):
    """Like google/gemma-3-4b-it."""
    image = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    names = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        *image.values(),
        *map(chr, range(32, 127)),
        "\n",
        "\u2581",
    ]
    tokenizer = GemmaTokenizer(
        vocab={name: index for index, name in enumerate(names)},
        merges=[],
        extra_special_tokens=image,
    )
    config = Gemma3Config(
        text_config={**TEXT, **special_ids(tokenizer), "head_dim": 8, "sliding_window": 64},
        vision_config={**VISION, "image_size": 32, "patch_size": 8},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer,
        chat_template=template("<start_of_image>"),
        image_seq_length=4,
    ).save_pretrained(folder)


def save_florence2(folder):
    """Like florence-community/Florence-2-base: task words instead of a chat."""
    tokenizer = BartTokenizer(
        vocab=letters("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>"),
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )
    config = Florence2Config(
        text_config={
            "model_type": "bart",
            "d_model": WIDTH,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": WIDTH,
            "decoder_ffn_dim": WIDTH,
            "max_position_embeddings": 256,
            "init_std": 0.5,
            "decoder_start_token_id": tokenizer.eos_token_id,
            **special_ids(tokenizer),
        },
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": [8, 8, 8, WIDTH],
            "num_heads": [1, 1, 1, 1],
            "num_groups": [1, 1, 1, 1],
            "window_size": 4,
            "projection_dim": WIDTH,
            "initializer_range": 0.5,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 64, "width": 64}
    images = CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False)
    images.image_seq_length = 5  # 2 x 2 cells and their mean
    Florence2Processor(images, tokenizer).save_pretrained(folder)


SAVERS = {
    "qwen2_5_vl": save_qwen2_5_vl,
    "qwen3_vl": save_qwen3_vl,
    "internvl": save_internvl,
    "gemma3": save_gemma3,
    "florence2": save_florence2,
}
