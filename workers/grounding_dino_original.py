"""Grounding DINO (Liu et al. 2023) with its authors' own network and `.pth` files.

The code is from the package groundingdino-py. Its text encoder needs the BERT of transformers 4;
it is replaced by the BERT of the installed transformers, with the same weights.
"""

import importlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import torch
from PIL import Image
from safetensors.torch import load_model
from transformers import AutoTokenizer, BertConfig, BertModel

from chatgenimage.workers.config import GroundingDinoOriginalConfig
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.grounding import (
    GroundingPrompt,
    GroundingPromptBuilder,
    PromptedDetector,
)
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.weights import local_files

with warnings.catch_warnings():  # it imports timm by a deprecated name
    warnings.simplefilter("ignore", FutureWarning)
    from groundingdino.datasets import transforms
    from groundingdino.models import build_model
    from groundingdino.models.GroundingDINO import groundingdino as network
    from groundingdino.util.misc import clean_state_dict

WIDTH_KEY = "backbone.0.patch_embed.proj.weight"
PUBLISHED = {96: "GroundingDINO_SwinT_OGC", 128: "GroundingDINO_SwinB_cfg"}
"""The authors' published settings by the width of their image encoder."""
FOR_TRAINING = {"use_checkpoint": False, "use_transformer_ckpt": False}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TextEncoder(BertModel):  # type: ignore[misc]  # untyped
    """BERT with the authors' mask, which hides labels from each other."""

    def forward(self, input_ids: Any, attention_mask: Any, **rest: Any) -> Any:  # noqa: ANN401
        """Return BERT's output.

        Args:
            input_ids: (N, tokens).
            attention_mask: (N, tokens, tokens) bool, True where a token sees another.
            rest: Token types and positions, (N, tokens) each.
        """
        return super().forward(input_ids, attention_mask[:, None], **rest)


# The names by which the network loads BERT, whose weights are in the checkpoint.
network.get_tokenlizer = SimpleNamespace(
    get_tokenlizer=AutoTokenizer.from_pretrained,
    get_pretrained_language_model=lambda folder: TextEncoder(BertConfig.from_pretrained(folder)),
)
network.BertModelWarper = lambda bert_model: bert_model


@dataclass(frozen=True, slots=True)
class GroundingDinoOriginal(PromptedDetector):
    """A Detector."""

    config: GroundingDinoOriginalConfig
    identity: ModelIdentity
    _model: Any
    _device: str

    @classmethod
    def load(cls, config: GroundingDinoOriginalConfig, device: str) -> Self:
        """Return the family ready on `device`.

        The checkpoint is a `.pth` file as the authors publish it, or a folder for a network of
        another size: `model.safetensors`, `config.json` with the settings that differ from the
        authors' Swin-T, and `text_encoder/` with BERT's settings and vocabulary.

        Raises:
            CheckpointNotFound: If there are no weights, or no settings of the text encoder.
            CheckpointBroken: If they do not load.
        """
        path = local_files.locate(config)
        is_file = path.is_file()
        text_encoder = (
            local_files.locate_settings(config.text_encoder) if is_file else path / "text_encoder"
        )
        with local_files.loading(config.checkpoint):
            local_files.refuse_wordless(text_encoder)
            model = (_from_authors if is_file else _from_folder)(path, text_encoder)
        return cls(config, local_files.identity_of(config, path), model.to(device).eval(), device)

    @property
    def prompter(self) -> GroundingPromptBuilder:
        """Return what writes the prompts of this checkpoint."""
        longest = min(self._model.max_text_len, self._model.bert.config.max_position_embeddings)
        return GroundingPromptBuilder(
            self._model.tokenizer, longest, self.config.max_labels_per_prompt
        )

    def _look(
        self, images: list[RgbImage], prompts: list[GroundingPrompt]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # One by one, like the authors: with several captions their text masks get mixed up.
        outputs = [self._look_at(*asked) for asked in zip(images, prompts, strict=True)]
        return (
            torch.cat([output["pred_logits"] for output in outputs]),
            torch.cat([output["pred_boxes"] for output in outputs]),
        )

    def _look_at(self, image: RgbImage, prompt: GroundingPrompt) -> dict[str, torch.Tensor]:
        tensor, _ = self._transform(Image.fromarray(image), None)
        caption = self._model.tokenizer.decode(prompt.input_ids[1:-1])
        output: dict[str, torch.Tensor] = self._model(
            tensor[None].to(self._device), captions=[caption]
        )
        return output

    @property
    def _transform(self) -> Any:  # noqa: ANN401 (a callable of the package)
        edges = [self.config.shortest_edge], self.config.longest_edge
        steps = [transforms.RandomResize(*edges), transforms.ToTensor()]
        return transforms.Compose([*steps, transforms.Normalize(MEAN, STD)])


def build_network(settings: dict[str, Any], text_encoder: Path) -> Any:  # noqa: ANN401 (untyped package)
    """Return an untrained network.

    Args:
        settings: The settings that differ from the authors' Swin-T.
        text_encoder: A folder with BERT's `config.json` and vocabulary.
    """
    chosen = {**FOR_TRAINING, "text_encoder_type": str(text_encoder)}
    return build_model(SimpleNamespace(**_published(PUBLISHED[96]) | settings | chosen))


def _from_authors(path: Path, text_encoder: Path) -> Any:  # noqa: ANN401
    """Return the network of a file of the authors.

    Raises:
        CheckpointBroken: If it has another size than theirs, or lacks weights.
    """
    file = torch.load(path, map_location="cpu", weights_only=True)
    state = clean_state_dict(file["model"])
    width = state[WIDTH_KEY].shape[0] if WIDTH_KEY in state else None
    if width not in PUBLISHED:
        raise CheckpointBroken(
            f"{path} is neither the authors' Swin-T nor their Swin-B file; "
            "give a folder with config.json and model.safetensors for another size."
        )
    model = build_network(_published(PUBLISHED[width]), text_encoder)
    # Their files hold more: what only training needs, and positions that BERT counts by itself.
    local_files.refuse_missing(model.load_state_dict(state, strict=False).missing_keys)
    return model


def _from_folder(path: Path, text_encoder: Path) -> Any:  # noqa: ANN401
    settings = json.loads((path / "config.json").read_text(encoding="utf-8"))
    model = build_network(settings, text_encoder)
    load_model(model, path / "model.safetensors")
    return model


def _published(name: str) -> dict[str, Any]:
    """Return the settings of a configuration module in the package."""
    module: ModuleType = importlib.import_module(f"groundingdino.config.{name}")
    return {key: value for key, value in vars(module).items() if not key.startswith("__")}
