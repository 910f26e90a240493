"""Transfer of earlier checkpoints' weights to a world with more words.

`python -m training.warm_start FOLDER` writes the initial weights of each stage. The embedding of a
word moves to its new token number; new words start at random.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    Blip2ForConditionalGeneration,
    CLIPTokenizer,
    GroundingDinoForObjectDetection,
    PreTrainedTokenizerFast,
)

from training import (
    blip2,
    grounding_dino,
    instruct_pix2pix,
    segment_anything,
    stable_diffusion,
    tokenizers,
    vae,
)
from training import open_clip as clip
from training.dataset import train_set
from training.loop import START_FILE
from training.places import STATES
from training.words import detector_vocabulary

BY_WORD = (
    "token_embedding.weight",
    "word_embeddings.weight",
    "embed_tokens.weight",
    "lm_head.weight",
)
BY_PLACE = ("position_embeddings.weight",)

IDLE_SHARE = 0.05
"""A latent direction is idle if its variance is below this share of the largest variance."""
WAKING_SCENES, WAKING_FEATURES = 400, 24

Numbers = Mapping[str, int]
"""The number of each token."""


def carry_over(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], was: Numbers, now: Numbers
) -> dict[str, Tensor]:
    """Return the state `new` with the weights of `old`.

    Args:
        old: State of the earlier model.
        new: Initial state of the same model over more words.
        was: Number of each token in `old`.
        now: Number of each token in `new`.

    Raises:
        ValueError: If a tensor that does not depend on words or positions changed its shape.
    """
    state = {name: value.clone() for name, value in new.items()}
    for name, value in state.items():
        if name.endswith(BY_WORD):
            for word in was.keys() & now.keys():
                value[now[word]] = old[name][was[word]]
        elif name.endswith(BY_PLACE):
            shared = min(len(value), len(old[name]))
            value[:shared] = old[name][:shared]
        elif value.shape == old[name].shape:
            value.copy_(old[name])
        else:
            raise ValueError(f"{name} was {tuple(old[name].shape)}, is {tuple(value.shape)}")
    return state


def start_diffusion(folder: Path, kind: type[Any], new: nn.ModuleDict) -> dict[str, Tensor]:
    """Return the initial weights of a diffusion stage from the pipeline in `folder`."""
    pipeline = kind.from_pretrained(folder, torch_dtype=torch.float32)
    old = stable_diffusion.as_module(pipeline.unet, pipeline.text_encoder)
    was, now = pipeline.tokenizer.get_vocab(), tokenizers.clip_tokenizer().get_vocab()
    return carry_over(old.state_dict(), new.state_dict(), was, now)


def start_stable_diffusion(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of Stable Diffusion."""
    models = stable_diffusion.as_module(
        stable_diffusion.build_unet(), stable_diffusion.build_text_encoder()
    )
    return start_diffusion(old / stable_diffusion.NAME, StableDiffusionPipeline, models)


def start_instruct_pix2pix(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of InstructPix2Pix."""
    models = stable_diffusion.as_module(
        stable_diffusion.build_unet(in_channels=8), stable_diffusion.build_text_encoder()
    )
    folder = old / instruct_pix2pix.NAME
    return start_diffusion(folder, StableDiffusionInstructPix2PixPipeline, models)


def start_vae(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of the autoencoder, with its idle latent directions activated."""
    folder = old / stable_diffusion.NAME / "vae"
    model = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32)
    with torch.no_grad():
        wake_idle_directions(model, vae.to_model(train_set().images[:WAKING_SCENES]))
    return dict(model.state_dict())


def wake_idle_directions(model: AutoencoderKL, images: Tensor) -> None:
    """Make unused latent directions carry random features at unit variance.

    The used directions do not change, so that diffusion models trained on them stay valid.

    Args:
        model: The autoencoder; changed in place.
        images: (B, 3, H, W) in [-1, 1].
    """
    features: list[Tensor] = []
    hook = model.encoder.conv_out.register_forward_hook(
        lambda _m, given, _o: features.append(given[0])
    )
    means = model.encode(images).latent_dist.mean.movedim(1, -1).flatten(0, 2)
    hook.remove()
    variances, directions = torch.linalg.eigh(torch.cov(means.T))
    idle = directions[:, variances < IDLE_SHARE * variances.max()]
    spread, axes = torch.linalg.eigh(torch.cov(features[0].movedim(1, -1).flatten(0, 2).T))
    whitening = axes[:, -WAKING_FEATURES:] / spread[-WAKING_FEATURES:].sqrt()
    mixing = torch.linalg.qr(torch.randn(WAKING_FEATURES, idle.shape[1])).Q
    last, quant = model.encoder.conv_out, model.quant_conv
    kernel = torch.einsum("oi,ikyx->okyx", quant.weight[:, :, 0, 0], last.weight)
    bias = quant.weight[:, :, 0, 0] @ last.bias + quant.bias
    kernel[: len(idle), :, 1, 1] += idle @ mixing.T @ whitening.T
    last.weight.copy_(kernel)
    last.bias.copy_(bias)
    quant.weight.copy_(torch.eye(len(bias))[:, :, None, None])
    quant.bias.zero_()


def start_grounding_dino(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of the detector."""
    folder = old / grounding_dino.NAME
    model = GroundingDinoForObjectDetection.from_pretrained(folder, dtype=torch.float32)
    now = grounding_dino.build_model().state_dict()
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return carry_over(model.state_dict(), now, _numbers(words), _numbers(detector_vocabulary()))


def start_segment_anything(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of the segmenter, which does not depend on words."""
    weights = load_file(old / segment_anything.NAME / "model.safetensors")
    return carry_over(weights, segment_anything.build_model().state_dict(), {}, {})


def start_open_clip(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of CLIP."""
    folder = old / clip.NAME
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    was = CLIPTokenizer.from_pretrained(folder).get_vocab()
    now = tokenizers.clip_tokenizer().get_vocab()
    return carry_over(model.float().state_dict(), clip.build_model().state_dict(), was, now)


def start_blip2(old: Path) -> dict[str, Tensor]:
    """Return the initial weights of the captioner."""
    folder = old / blip2.NAME
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    was = PreTrainedTokenizerFast.from_pretrained(folder).get_vocab()
    now = blip2.build_tokenizer().get_vocab()
    return carry_over(model.state_dict(), blip2.build_model().state_dict(), was, now)


STARTS = {
    vae.NAME: start_vae,
    grounding_dino.NAME: start_grounding_dino,
    segment_anything.NAME: start_segment_anything,
    clip.NAME: start_open_clip,
    blip2.NAME: start_blip2,
    stable_diffusion.NAME: start_stable_diffusion,
    instruct_pix2pix.NAME: start_instruct_pix2pix,
}


def _numbers(words: Sequence[str]) -> dict[str, int]:
    return {word: number for number, word in enumerate(words)}


def main(old: Path) -> None:
    """Write the initial weights of each stage."""
    for name, start in STARTS.items():
        (STATES / name).mkdir(parents=True, exist_ok=True)
        torch.save(start(old), STATES / name / START_FILE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
