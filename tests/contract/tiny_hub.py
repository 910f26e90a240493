"""A folder like the hub's cache: the repositories of profiles, each with tiny random weights.

The files are named and divided as their publishers did it, most of them with transformers 4: the
settings of each processor in a file of its own, large weights in several parts.
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from chatgenimage.workers.weights.catalog import find_published
from tests.contract import tiny_encoders, tiny_segmenters
from tests.contract.tiny_captioners import save_blip
from tests.contract.tiny_chats import save_qwen3_vl
from tests.contract.tiny_checkpoints import save_open_clip
from tests.contract.tiny_detectors import save_mm_grounding_dino
from tests.contract.tiny_grounding import save_grounding_dino
from tests.contract.tiny_painters import save_painter

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHARD_SIZE = "50KB"
PROCESSORS = {
    "image_processor": "preprocessor_config.json",
    "video_processor": "video_preprocessor_config.json",
}
SAMPLING = {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8}
"""How Qwen3-VL is published: it answers at random unless it is asked not to."""


def write_hub(cache: Path, repositories: Iterable[tuple[str, str | None]]) -> None:
    """Write repositories of the hub, each at one commit.

    Args:
        cache: What HF_HUB_CACHE names.
        repositories: The hub id of each, and the commit that a profile pins, or None.
    """
    for hub_id, revision in dict.fromkeys(repositories):
        repository, commit = cache / f"models--{hub_id.replace('/', '--')}", revision or COMMIT
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit)
        (repository / "snapshots").mkdir()
        folder = repository / "snapshots" / commit
        torch.manual_seed(0)
        SAVERS[hub_id](folder)
        published = find_published(hub_id)
        assert published is not None, hub_id
        card = f"---\nlicense: {published.licence.lower()}\n---\n# {hub_id}\n"
        (folder / "README.md").write_text(card)


def pipeline(
    name: str,
    scheduler: dict[str, Any],
    index: dict[str, Any] | None = None,
    transformer: dict[str, Any] | None = None,
) -> Callable[[Path], None]:
    """Return a function that writes a pipeline in parts, with its published settings."""

    def save(folder: Path) -> None:
        save_painter(name, folder, max_shard_size=SHARD_SIZE)
        _change(folder / "scheduler" / "scheduler_config.json", scheduler)
        _change(folder / "model_index.json", index or {})
        _change(folder / "transformer" / "config.json", transformer or {})

    return save


def divided(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return a function that writes a checkpoint with a file for each processor."""

    def save(folder: Path) -> None:
        write(folder)
        whole = folder / "processor_config.json"
        content = json.loads(whole.read_text())
        whole.unlink()
        for key, name in PROCESSORS.items():
            if key in content:
                settings = {"processor_class": content["processor_class"]} | content[key]
                (folder / name).write_text(json.dumps(settings))

    return save


def chat(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return a function that writes a chat model whose template is in JSON."""

    def save(folder: Path) -> None:
        divided(write)(folder)
        template = folder / "chat_template.jinja"
        content = {"chat_template": template.read_text()}
        (folder / "chat_template.json").write_text(json.dumps(content))
        template.unlink()
        _change(folder / "generation_config.json", SAMPLING)

    return save


def _change(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


SHIFT_BY_SIZE = {"use_dynamic_shifting": True, "time_shift_type": "exponential"}
SHIFT_OF_QWEN = SHIFT_BY_SIZE | {"max_shift": 0.9, "shift_terminal": 0.02}
klein = pipeline("Flux2KleinPipeline", SHIFT_BY_SIZE, index={"is_distilled": True})
mm_grounding_dino = divided(save_mm_grounding_dino)
sam_2_1 = divided(tiny_segmenters.save_sam2_video)
siglip = divided(tiny_encoders.save_siglip)

SAVERS: dict[str, Callable[[Path], None]] = {
    "Tongyi-MAI/Z-Image-Turbo": pipeline("ZImagePipeline", {"shift": 3.0}),
    "black-forest-labs/FLUX.2-klein-4B": klein,
    "Qwen/Qwen-Image": pipeline("QwenImagePipeline", SHIFT_OF_QWEN),
    "Qwen/Qwen-Image-Edit-2511": pipeline(
        "QwenImageEditPlusPipeline", SHIFT_OF_QWEN, transformer={"zero_cond_t": True}
    ),
    "Qwen/Qwen3-VL-2B-Instruct": chat(partial(save_qwen3_vl, is_tied=True)),
    "Qwen/Qwen3-VL-8B-Instruct": chat(save_qwen3_vl),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": mm_grounding_dino,
    "openmmlab-community/mm_grounding_dino_base_all": mm_grounding_dino,
    "openmmlab-community/mm_grounding_dino_large_all": mm_grounding_dino,
    "facebook/sam2.1-hiera-large": sam_2_1,
    "facebook/sam2.1-hiera-tiny": sam_2_1,
    "google/siglip2-base-patch16-224": siglip,
    "google/siglip2-so400m-patch14-384": siglip,
    "Salesforce/blip-image-captioning-large": divided(save_blip),
    "IDEA-Research/grounding-dino-tiny": divided(save_grounding_dino),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": save_open_clip,
}
"""Writes the checkpoint of a hub id into a folder."""
