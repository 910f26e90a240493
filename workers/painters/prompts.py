"""Prompts of pipelines of any class: their arguments, and what is not read of them."""

from collections.abc import Sequence
from typing import Any

from chatgenimage.workers.painters.pipelines_table import PipelineRow
from chatgenimage.workers.prompt_chunks import (
    Chunks,
    behind_the_cut,
    conditioning,
    split_prompt,
    unread_end,
)


def chunks_of(pipeline: Any, row: PipelineRow, prompts: Sequence[str]) -> list[Chunks]:  # noqa: ANN401
    """Return each prompt in the chunks that the pipeline reads: one, unless it reads by CLIP."""
    if row.fails_if_longer:
        ends = unread_ends(pipeline, row, prompts)
        prompts = [text.strip().removesuffix(e) for text, e in zip(prompts, ends, strict=True)]
    return [split_prompt(pipeline, prompt) for prompt in prompts]


def prompt_arguments(
    pipeline: Any,  # noqa: ANN401 (a pipeline of any class)
    row: PipelineRow,
    prompts: Sequence[Chunks],
    negative_prompt: str,
) -> dict[str, Any]:
    """Return the arguments that condition a pipeline on prompts of equally many chunks."""
    if row.most_tokens is None:
        return conditioning(pipeline, prompts, negative_prompt)
    arguments: dict[str, Any] = {"prompt": [chunk for (chunk,) in prompts]}
    negative = negative_prompt or row.empty_negative
    if negative is not None:
        arguments["negative_prompt"] = [negative] * len(prompts)
    return arguments


def unread_ends(pipeline: Any, row: PipelineRow, prompts: Sequence[str]) -> list[str]:  # noqa: ANN401
    """Return the end of each prompt that is not read; "" if it is read as a whole."""
    if row.most_tokens is None:
        return [unread_end(pipeline, prompt) for prompt in prompts]
    return [behind_the_cut(pipeline, prompt, row.most_tokens, row.before) for prompt in prompts]
