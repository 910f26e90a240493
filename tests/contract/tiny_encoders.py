"""Random checkpoints of encoders that the family `similarity` loads, as published."""

import io

import pytest
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    GemmaTokenizer,
    MetaClip2Config,
    MetaClip2Model,
    Siglip2Config,
    Siglip2ImageProcessor,
    Siglip2Model,
    Siglip2Processor,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    SiglipTokenizer,
    XLMRobertaTokenizer,
)

from tests.contract.tiny_detectors import clip_text, clip_tokenizer, clip_vision

SIZE = {"height": 16, "width": 16}
LETTERS = [*map(chr, range(32, 127)), "\u2581"]


def save_clip(folder):
    """Like openai/clip-vit-base-patch32."""
    tokenizer = clip_tokenizer(room=16)
    config = CLIPConfig(
        text_config=clip_text(tokenizer), vision_config=clip_vision(size=16), projection_dim=8
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(clip_images(), tokenizer).save_pretrained(folder)


def clip_images():
    return CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=SIZE)


def save_metaclip_2(folder):
    """Like facebook/metaclip-2-worldwide-b32: the vocabulary of XLM."""
    names = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS, "<mask>"]
    tokenizer = XLMRobertaTokenizer(vocab=[(name, -1.0) for name in names], model_max_length=16)
    config = MetaClip2Config(
        text_config=clip_text(tokenizer), vision_config=clip_vision(size=16), projection_dim=8
    )
    MetaClip2Model(config).save_pretrained(folder)
    CLIPProcessor(clip_images(), tokenizer).save_pretrained(folder)


def gemma_vocabulary():
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *LETTERS]
    return {name: index for index, name in enumerate(names)}


def siglip_parts(tokenizer):
    return {"text_config": clip_text(tokenizer), "vision_config": clip_vision(size=16)}


def save_siglip(folder):
    """Like google/siglip2-base-patch16-224, whose `model_type` is "siglip"."""
    tokenizer = GemmaTokenizer(
        vocab=gemma_vocabulary(), merges=[], model_max_length=16, padding_side="right"
    )
    SiglipModel(SiglipConfig(**siglip_parts(tokenizer))).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessor(size=SIZE), tokenizer).save_pretrained(folder)


def save_siglip_1(folder):
    """Like google/siglip-base-patch16-224, whose vocabulary is a file of SentencePiece."""
    pytest.importorskip("google.protobuf")
    trainer = pytest.importorskip("sentencepiece").SentencePieceTrainer
    model = io.BytesIO()
    sentences = [" ".join(LETTERS), "a photo of a dog", "a house in a city street"]
    trainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=200,
        hard_vocab_limit=False,
        character_coverage=1.0,
        bos_id=-1,
        minloglevel=2,
    )
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=16)
    SiglipModel(SiglipConfig(**siglip_parts(tokenizer))).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessor(size=SIZE), tokenizer).save_pretrained(folder)


def save_siglip2(folder):
    """Like google/siglip2-base-patch16-naflex: patches of an image in its own shape."""
    tokenizer = Siglip2Tokenizer(
        vocab=gemma_vocabulary(), merges=[], model_max_length=16, padding_side="right"
    )
    parts = siglip_parts(tokenizer)
    parts["vision_config"]["num_patches"] = 16
    Siglip2Model(Siglip2Config(**parts)).save_pretrained(folder)
    images = Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    Siglip2Processor(images, tokenizer).save_pretrained(folder)


SAVERS = {
    "clip": save_clip,
    "metaclip_2": save_metaclip_2,
    "siglip": save_siglip,
    "siglip_1": save_siglip_1,
    "siglip2": save_siglip2,
}
