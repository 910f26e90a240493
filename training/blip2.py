"""Training of a tiny BLIP-2 of transformers: captions in the grammar, objects left to right."""

from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessor,
    PreTrainedTokenizerFast,
)

from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS, STATES
from training.softened import Softener
from training.words import all_words, write_plain_caption

NAME = "blip2"
BATCH = 32
QUERIES = 8
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
PAD, START, END, _UNKNOWN, IMAGE = range(len(SPECIALS))
WIDTH = 128
IGNORED = -100


def build_config() -> Blip2Config:
    """Return the tiny architecture."""
    attention: dict[str, Any] = {"hidden_size": WIDTH, "num_attention_heads": 4}
    return Blip2Config(
        vision_config={
            **attention,
            "num_hidden_layers": 4,
            "intermediate_size": 384,
            "image_size": 64,
            "patch_size": 8,
            "initializer_range": 0.02,
        },
        qformer_config={
            **attention,
            "vocab_size": len(SPECIALS),
            "num_hidden_layers": 2,
            "intermediate_size": 256,
            "encoder_hidden_size": WIDTH,
            "cross_attention_frequency": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "max_position_embeddings": 32,
        },
        text_config={
            **attention,
            "model_type": "opt",
            "vocab_size": len(SPECIALS) + len(all_words()),
            "num_hidden_layers": 2,
            "ffn_dim": 256,
            "word_embed_proj_dim": WIDTH,
            "max_position_embeddings": 64,
            "dropout": 0.0,
            "pad_token_id": PAD,
            "bos_token_id": START,
            "eos_token_id": END,
        },
        num_query_tokens=QUERIES,
        image_token_index=IMAGE,
        image_text_hidden_size=32,
    )


def build_model() -> Blip2ForConditionalGeneration:
    """Return the untrained captioner; its queries start at random, since zeros would stay equal."""
    model = Blip2ForConditionalGeneration(build_config())
    nn.init.normal_(model.query_tokens, std=0.5)
    return model


def adopt_vision(model: Blip2ForConditionalGeneration, clip: CLIP, images: Tensor) -> None:
    """Initialise the vision tower from CLIP's, as in BLIP-2.

    BLIP-2's tower has no norm before its layers; CLIP's norm is folded into the embeddings, with
    its scale taken as the mean over `images`, (B, 3, 64, 64) normalised.
    """
    theirs, ours = clip.visual, model.vision_model
    norm, position = theirs.ln_pre, theirs.positional_embedding
    tokens = theirs.conv1(images).flatten(2).transpose(1, 2) + position[1:]
    gain = norm.weight / tokens.std(-1, correction=0).mean()
    kernel, patches = theirs.conv1.weight, position[1:]
    first = ours.embeddings
    first.patch_embedding.weight.copy_(gain[:, None, None, None] * (kernel - kernel.mean(0)))
    first.patch_embedding.bias.copy_(norm.bias)
    first.class_embedding.copy_(norm(theirs.class_embedding + position[0])[None, None])
    first.position_embedding.zero_()
    first.position_embedding[0, 1:].copy_(gain * (patches - patches.mean(-1, keepdim=True)))
    ours.post_layernorm.load_state_dict(theirs.ln_post.state_dict())
    for layer, block in zip(ours.encoder.layers, theirs.transformer.resblocks, strict=True):
        layer.self_attn.qkv.weight.copy_(block.attn.in_proj_weight)
        layer.self_attn.qkv.bias.copy_(block.attn.in_proj_bias)
        layer.self_attn.projection.load_state_dict(block.attn.out_proj.state_dict())
        layer.layer_norm1.load_state_dict(block.ln_1.state_dict())
        layer.layer_norm2.load_state_dict(block.ln_2.state_dict())
        layer.mlp.fc1.load_state_dict(block.mlp.c_fc.state_dict())
        layer.mlp.fc2.load_state_dict(block.mlp.c_proj.state_dict())


def load_clip() -> CLIP:
    """Return the exported OpenCLIP."""
    name = f"local-dir:{CHECKPOINTS / 'open_clip'}"
    return open_clip.create_model_and_transforms(name)[0].float()


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per word."""
    vocabulary = {word: index for index, word in enumerate([*SPECIALS, *all_words()])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIALS[_UNKNOWN]))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", START)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",  # noqa: S106  # a mark, not a secret
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        additional_special_tokens=["<image>"],
        model_max_length=64,
    )


def build_processor() -> Blip2Processor:
    """Return tokenizer and image processor; the latter keeps 64x64 images at their size."""
    images = BlipImageProcessor(
        size={"height": 64, "width": 64}, image_mean=list(MEAN), image_std=list(STD)
    )
    return Blip2Processor(images, build_tokenizer(), num_query_tokens=QUERIES)


class CaptionTrainer:
    """Draws images and writes their captions."""

    def __init__(self, model: Blip2ForConditionalGeneration, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._softener = Softener(STATES)
        self._tokenizer = build_tokenizer()

    def losses(self, step: int) -> dict[str, Tensor]:
        """Return the language loss of a random batch."""
        rows = self._softener.draw_rows(self._dataset, BATCH)
        twin = self._rng.random(BATCH) < 0.5
        images = self._softener.soften(self._dataset, rows, step, twin)
        captions = [self._caption(int(row), bool(t)) for row, t in zip(rows, twin, strict=True)]
        tokens, labels = self._tokens(captions)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self._model(
                pixel_values=(images - MEAN[0]) / STD[0],
                input_ids=tokens,
                attention_mask=(tokens != PAD).long(),
            ).logits
        loss = nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
        )
        return {"language": loss}

    def _caption(self, row: int, is_twin: bool) -> str:  # noqa: FBT001
        background = (
            self._dataset.edited_background(row) if is_twin else self._dataset.background(row)
        )
        return write_plain_caption(self._dataset.nouns(row), background)

    def _tokens(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        texts = [[*self._tokenizer(caption).input_ids, END] for caption in captions]
        longest = max(len(text) for text in texts)
        padded = [[IMAGE] * QUERIES + text + [PAD] * (longest - len(text)) for text in texts]
        tokens = torch.tensor(padded)
        silent = (tokens == PAD) | (tokens == IMAGE) | (tokens == START)
        return tokens, tokens.masked_fill(silent, IGNORED)


def train(minutes: float) -> None:
    """Train and export the captioner."""
    model, dataset = build_model(), train_set()
    sample = torch.from_numpy(dataset.images[:64]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        adopt_vision(model, load_clip(), (sample - MEAN[0]) / STD[0])
    work = CaptionTrainer(model, dataset)

    def export() -> None:
        """Write the captioner and its processor."""
        with exporting(CHECKPOINTS / NAME) as folder:
            to_half(model).save_pretrained(folder)
            build_processor().save_pretrained(folder)

    vision = list(model.vision_model.parameters())
    rest = [p for name, p in model.named_parameters() if not name.startswith("vision_model.")]
    groups: list[dict[str, Any]] = [{"params": vision, "lr_scale": 0.4}, {"params": rest}]
    plan = Plan(NAME, minutes, lr=1.5e-3, export_every_minutes=3)
    Trainer(plan, model, groups).fit(work.losses, export)
