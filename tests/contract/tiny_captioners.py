"""Random checkpoints of BLIP and BLIP-2, as published."""

from pathlib import Path

from transformers import (
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    GPT2Tokenizer,
    OPTConfig,
)

from tests.contract.tiny_words import WORDS, letters


def save_blip2(folder: Path) -> None:
    """Like Salesforce/blip2-opt-2.7b."""
    tokenizer = GPT2Tokenizer(
        vocab=letters("<pad>", "<s>", "</s>"),
        merges=[],
        bos_token="<s>",  # noqa: S106  (no password)
        eos_token="</s>",  # noqa: S106
        unk_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    )
    images = BlipImageProcessor(size={"height": 16, "width": 16})
    processor = Blip2Processor(images, tokenizer, num_query_tokens=4)
    vision = Blip2VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        initializer_range=0.5,
    )
    text = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        word_embed_proj_dim=16,
        ffn_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        init_std=0.5,
    )
    config = Blip2Config(
        vision_config=vision.to_dict(),
        qformer_config=_querying_transformer().to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def _querying_transformer() -> Blip2QFormerConfig:
    return Blip2QFormerConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        encoder_hidden_size=16,
        initializer_range=0.5,
    )


def save_blip(folder: Path) -> None:
    """Like Salesforce/blip-image-captioning-base, with BERT's special words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *WORDS]
    tokenizer = BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    part = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 16,
        "initializer_range": 0.5,
    }
    text = {
        "vocab_size": len(words),
        "encoder_hidden_size": 16,
        "max_position_embeddings": 64,
        "bos_token_id": words.index("[DEC]"),
        "pad_token_id": 0,
        "eos_token_id": words.index("[SEP]"),
        "sep_token_id": words.index("[SEP]"),
    }
    config = BlipConfig(
        text_config=part | text,
        vision_config=part | {"image_size": 16, "patch_size": 8},
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 16, "width": 16})
    BlipProcessor(images, tokenizer).save_pretrained(folder)
