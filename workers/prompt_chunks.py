"""Prompts of any length for diffusion pipelines whose text encoders read 75 tokens of CLIP.

A longer prompt is split into chunks. Each chunk is encoded alone, and the denoiser attends to all
of them. A prompt of one chunk is passed to the pipeline as text.
"""

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from diffusers import (
    DiffusionPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)

from chatgenimage.workers.text_chunks import split_text

CHUNKED = (
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLInpaintPipeline,
)
"""Pipelines that take embeddings of several chunks; others are given the text as it is."""
MOST_CHUNKS = 8
"""Chunks of a prompt that are read: 600 tokens of CLIP, three times Table 1's longest prompt."""

Chunks: TypeAlias = tuple[str, ...]
"""A prompt in chunks, at least one."""


def split_prompt(pipeline: DiffusionPipeline, prompt: str) -> Chunks:
    """Return the chunks of a prompt that a pipeline reads, at most 8."""
    return _all_chunks(pipeline, prompt)[:MOST_CHUNKS]


def unread_end(pipeline: DiffusionPipeline, prompt: str) -> str:
    """Return the end of a prompt that a pipeline does not read; "" if it reads everything."""
    if isinstance(pipeline, CHUNKED):
        return " ".join(_all_chunks(pipeline, prompt)[MOST_CHUNKS:])
    argument = inspect.signature(pipeline.__call__).parameters.get("max_sequence_length")
    return behind_the_cut(pipeline, prompt, argument.default if argument else None)


def behind_the_cut(
    pipeline: Any,  # noqa: ANN401 (any pipeline)
    prompt: str,
    longest: int | None,
    before: str = "",
) -> str:
    """Return what follows the longest text that the last of a pipeline's tokenizers passes on.

    Args:
        pipeline: Any that does not read chunks.
        prompt: The text.
        longest: Tokens that are read, those of `before` and special ones included; None: as many as
            the tokenizer says.
        before: Words that the pipeline puts before it.
    """
    names = (name for name, part in pipeline.components.items() if part is not None)
    tokenizer = getattr(pipeline, max(name for name in names if name.startswith("tokenizer")))
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # FLUX.2 has a processor there
    limits = [limit for limit in (longest, tokenizer.model_max_length) if limit is not None]
    text = before + prompt
    read = tokenizer(text, max_length=min(limits), truncation=True, return_offsets_mapping=True)
    end = max((end for _, end in read.offset_mapping), default=0)
    return prompt[max(end - len(before), 0) :].strip()


def conditioning(
    pipeline: DiffusionPipeline, prompts: Sequence[Chunks], negative_prompt: str
) -> dict[str, Any]:
    """Return the arguments that condition a pipeline, or one over the same weights, on prompts.

    Args:
        pipeline: The pipeline whose text encoders are used.
        prompts: Chunks of each prompt; all prompts have equally many.
        negative_prompt: What no image should show; it may be longer than a chunk. If it is empty,
            XL is given none and guides by zeros, as it was trained.
    """
    negative = split_prompt(pipeline, negative_prompt)
    count = max(len(prompts[0]), len(negative))
    is_zeros = not negative_prompt and pipeline.config.get("force_zeros_for_empty_prompt", False)
    if count == 1:
        texts = {"prompt": [chunk for (chunk,) in prompts]}
        return texts if is_zeros else texts | {"negative_prompt": [*negative] * len(prompts)}
    wanted = _stack("", [_embed(pipeline, chunks, count) for chunks in prompts])
    if is_zeros:
        return wanted
    return wanted | _stack("negative_", [_embed(pipeline, negative, count)] * len(prompts))


def _all_chunks(pipeline: DiffusionPipeline, prompt: str) -> Chunks:
    """Return a prompt in chunks of at most what CLIP reads; whole if the class reads otherwise."""
    if not isinstance(pipeline, CHUNKED):
        return (prompt,)
    tokenizer: Any = pipeline.tokenizer
    longest: int = tokenizer.model_max_length

    def fits(text: str) -> bool:
        """Return whether the text encoder reads a text to its end."""
        return len(tokenizer(text, verbose=False).input_ids) <= longest

    return tuple(split_text(prompt, fits))


def _embed(pipeline: Any, chunks: Chunks, count: int) -> list[torch.Tensor]:  # noqa: ANN401 (CHUNKED)
    """Return (1, count * L, D), the chunks filled up with empty ones; for XL also (1, D) pooled."""
    # InstructPix2Pix has the parts of Stable Diffusion, but not this method.
    stand_in = partial(StableDiffusionPipeline.encode_prompt, pipeline)
    embeddings, _, *pooled = getattr(pipeline, "encode_prompt", stand_in)(
        prompt=[*chunks, *[""] * (count - len(chunks))],
        device=pipeline._execution_device,  # noqa: SLF001  (with offload it is not the weights' own)
        num_images_per_prompt=1,
        do_classifier_free_guidance=False,
    )
    # XL's pooled vector describes the whole image: that of the first chunk, which begins with it.
    return [embeddings.flatten(0, 1)[None], *(vectors[:1] for vectors in pooled[:1])]


def _stack(prefix: str, embedded: Sequence[Sequence[torch.Tensor]]) -> dict[str, torch.Tensor]:
    names = f"{prefix}prompt_embeds", f"{prefix}pooled_prompt_embeds"
    return {
        name: torch.cat(parts)
        for name, parts in zip(names, zip(*embedded, strict=True), strict=False)
    }
