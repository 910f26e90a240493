"""Training of a tiny OpenCLIP with hard negatives: captions with a wrong object or background."""

import json
from typing import Any

import numpy as np
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from training.dataset import Dataset, train_set
from training.export import exporting, to_half
from training.loop import Plan, Trainer
from training.places import CHECKPOINTS, STATES
from training.softened import Softener
from training.tokenizers import MAX_TOKENS, clip_tokenizer
from training.words import BOOK, write_caption
from training.world import BACKGROUNDS, LABELS

NAME = "open_clip"
BATCH = 48
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
NEGATIVES = 3
"""Hard negatives of each image: wrong object, wrong background, an extra object."""
CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": 64,
            "layers": 4,
            "width": 128,
            "head_width": 32,
            "patch_size": 8,
            "mlp_ratio": 3.0,
        },
        "text_cfg": {
            "context_length": MAX_TOKENS,
            "vocab_size": len(clip_tokenizer()),
            "hf_tokenizer_name": "micro",
            "width": 128,
            "heads": 4,
            "layers": 2,
            "mlp_ratio": 2.0,
        },
    },
    "preprocess_cfg": {
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}


def build_model() -> CLIP:
    """Return the untrained network of CONFIG."""
    shape = CONFIG["model_cfg"]
    return CLIP(
        shape["embed_dim"], CLIPVisionCfg(**shape["vision_cfg"]), CLIPTextCfg(**shape["text_cfg"])
    )


class ContrastiveTrainer:
    """Draws images, their captions and almost correct captions."""

    def __init__(self, model: CLIP, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset
        self._rng = np.random.default_rng()
        self._softener = Softener(STATES)
        self._tokenizer = clip_tokenizer()

    def losses(self, step: int) -> dict[str, Tensor]:
        """Return both directions of the contrastive loss of a random batch."""
        rows = self._softener.draw_rows(self._dataset, BATCH)
        twin = self._rng.random(BATCH) < 0.5
        images = self._softener.soften(self._dataset, rows, step, twin)
        truths = [self._truth(int(row), bool(t)) for row, t in zip(rows, twin, strict=True)]
        captions = [write_caption(self._rng, *truth) for truth in truths]
        for spoil in (self._wrong_object, self._wrong_background, self._extra_object):
            captions += [write_caption(self._rng, *spoil(*truth)) for truth in truths]
        with torch.autocast("cpu", torch.bfloat16):
            image = self._model.encode_image((images - MEAN[0]) / STD[0])
            text = self._model.encode_text(self._tokens([*captions, *self._backgrounds()]))
        scale = self._model.logit_scale.exp().clamp(max=100)
        logits = scale * functional.normalize(image.float()) @ functional.normalize(text.float()).T
        places = torch.tensor([BACKGROUNDS.index(background) for _, background in truths])
        whole, background = logits.tensor_split([len(captions)], dim=1)
        return {
            **contrastive_losses(whole, same_truth(truths)),
            "background": functional.cross_entropy(background, places),
        }

    def _backgrounds(self) -> list[str]:
        rules = [BOOK.backgrounds[name] for name in BACKGROUNDS]
        return [rule.noun if self._rng.random() < 0.7 else rule.place for rule in rules]

    def _truth(self, row: int, is_twin: bool) -> tuple[list[str], str]:  # noqa: FBT001
        background = (
            self._dataset.edited_background(row) if is_twin else self._dataset.background(row)
        )
        return self._dataset.nouns(row), background

    def _wrong_object(self, nouns: list[str], background: str) -> tuple[list[str], str]:
        place = self._rng.integers(len(nouns))
        wrong = self._absent(nouns)
        return [wrong if index == place else noun for index, noun in enumerate(nouns)], background

    def _extra_object(self, nouns: list[str], background: str) -> tuple[list[str], str]:
        return [*nouns[:2], self._absent(nouns)], background

    def _wrong_background(self, nouns: list[str], background: str) -> tuple[list[str], str]:
        others = [name for name in BACKGROUNDS if name != background]
        return nouns, str(self._rng.choice(others))

    def _absent(self, nouns: list[str]) -> str:
        return str(self._rng.choice([label for label in LABELS if label not in nouns]))

    def _tokens(self, captions: list[str]) -> Tensor:
        return self._tokenizer(
            captions, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids


def same_truth(truths: list[tuple[list[str], str]]) -> Tensor:
    """Return (B, B) bool: True for two different images with the same true caption."""
    keys = [(frozenset(nouns), background) for nouns, background in truths]
    same = torch.tensor([[first == second for second in keys] for first in keys])
    return same & ~torch.eye(len(keys), dtype=torch.bool)


def contrastive_losses(logits: Tensor, twins: Tensor) -> dict[str, Tensor]:
    """Return cross entropies; column i of (B, (1 + NEGATIVES) * B) belongs to image i."""
    count = len(logits)
    diagonal = torch.arange(count)
    extra = torch.zeros(count, logits.shape[1] - count, dtype=torch.bool)
    by_image = logits.masked_fill(torch.cat([twins, extra], 1), float("-inf"))
    by_text = logits[:, :count].masked_fill(twins, float("-inf")).T
    near = torch.stack([logits[diagonal, diagonal + k * count] for k in range(NEGATIVES + 1)], 1)
    return {
        "image_to_text": functional.cross_entropy(by_image, diagonal),
        "text_to_image": functional.cross_entropy(by_text, diagonal),
        "near": functional.cross_entropy(near, torch.zeros(count, dtype=torch.long)),
    }


def train(minutes: float) -> None:
    """Train and export the network."""
    model = build_model()
    work = ContrastiveTrainer(model, train_set())

    def export() -> None:
        """Write the checkpoint in the published layout."""
        with exporting(CHECKPOINTS / NAME) as folder:
            config = json.dumps(CONFIG, indent=2)
            (folder / "open_clip_config.json").write_text(config + "\n", encoding="utf-8")
            clip_tokenizer().save_pretrained(folder)
            state = {k: v.contiguous() for k, v in to_half(model).state_dict().items()}
            save_file(state, str(folder / "open_clip_model.safetensors"), {"format": "pt"})

    Trainer(Plan(NAME, minutes, lr=1e-3, export_every_minutes=3), model).fit(work.losses, export)
