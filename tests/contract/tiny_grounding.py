"""Random checkpoints of Grounding DINO: the hub's conversion, and the authors' own network."""

import json
from pathlib import Path

from safetensors.torch import save_model
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from chatgenimage.workers import grounding_dino_original
from tests.contract.tiny_words import WORDS

ORIGINAL_SETTINGS = {
    "enc_layers": 1,
    "dec_layers": 2,
    "dim_feedforward": 16,
    "nheads": 2,
    "num_queries": 6,
    "num_feature_levels": 3,
}


def save_grounding_dino(folder: Path) -> None:
    """Like IDEA-Research/grounding-dino-tiny; its code expects BERT's special ids."""
    tokenizer = _bert_tokenizer()
    images = GroundingDinoImageProcessor(size={"shortest_edge": 32, "longest_edge": 64})
    backbone = SwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=8,
        depths=[1, 1, 1],
        num_heads=[2, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3"],
    )
    text = _bert_config(tokenizer)
    config = GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=6,
        num_feature_levels=2,
        max_text_len=32,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


def save_grounding_dino_original(folder: Path) -> None:
    """Save the authors' network, as narrow as their code allows: 100 MB."""
    save_bert(folder / "text_encoder")
    model = grounding_dino_original.build_network(ORIGINAL_SETTINGS, folder / "text_encoder")
    (folder / "config.json").write_text(json.dumps(ORIGINAL_SETTINGS), encoding="utf-8")
    save_model(model, folder / "model.safetensors")


def save_bert(folder: Path) -> None:
    """Save settings and vocabulary, like google-bert/bert-base-uncased."""
    tokenizer = _bert_tokenizer()
    tokenizer.save_pretrained(folder)
    _bert_config(tokenizer).save_pretrained(folder)


def _bert_tokenizer() -> BertTokenizer:
    """Return a vocabulary of few words at BERT's special ids."""
    names = [f"[unused{index}]" for index in range(1040)]
    names[0], names[100:104] = "[PAD]", ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names[1012], names[1029] = ".", "?"
    names[200 : 200 + len(WORDS)] = WORDS
    return BertTokenizer(vocab={name: index for index, name in enumerate(names)})


def _bert_config(tokenizer: BertTokenizer) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
