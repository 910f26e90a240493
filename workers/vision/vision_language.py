"""Vision-language models: captions and answers about an image; any checkpoint."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import transformers
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from chatgenimage.workers.device import inference
from chatgenimage.workers.errors import CheckpointBroken
from chatgenimage.workers.interfaces import Captioner
from chatgenimage.workers.llm.text import THOUGHT_MARK, clean, split_thoughts
from chatgenimage.workers.values import ModelIdentity, RgbImage
from chatgenimage.workers.vision_config import VisionLanguageConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import (
    load_model,
    load_processor,
    refuse_other_architectures,
)

INSTRUCTION = "Describe this image in one or two sentences. Name the main objects and the place."
TASK_WORDS = {"florence2": ("<MORE_DETAILED_CAPTION>", "<DETAILED_CAPTION>", "<CAPTION>")}
"""Words for captions of architectures that take a task instead of a chat; the first is used."""
KNOWN_IN_WORDS = (
    f"what transformers {transformers.__version__} lists as image-text-to-text (qwen2_5_vl, "
    "qwen3_vl, internvl, smolvlm, gemma3, florence2 and others)"
)
GREEDY = {"do_sample": False, "num_beams": 1, "temperature": None, "top_p": None, "top_k": None}
PROMPT_END = 16
"""Tokens at the end of a prompt in which a template may have opened the thoughts."""


class VisionLanguage:
    """Loads a Captioner; if the checkpoint takes chats, it is a VisualJudge too."""

    @staticmethod
    def load(config: VisionLanguageConfig, device: str) -> Captioner:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or cannot be asked about an image.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            known = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
            found = refuse_other_architectures(path, known, in_words=KNOWN_IN_WORDS)
            local_files.refuse_wordless(path)
            processor = load_processor(AutoProcessor, config, path)
            kind: Any = TaskModel if found in TASK_WORDS else ChatModel
            kind.refuse(config, found, processor)
            _pad_left(processor.tokenizer)
            model = load_model(AutoModelForImageTextToText, config, path, device)
        loaded: Captioner = kind(config, local_files.identity_of(config, path), model, processor)
        return loaded


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A Captioner and VisualJudge that is asked by its chat template."""

    config: VisionLanguageConfig
    identity: ModelIdentity
    _model: Any
    _processor: Any

    @staticmethod
    def refuse(_config: VisionLanguageConfig, found: str, processor: Any) -> None:  # noqa: ANN401
        """Raise CheckpointBroken if the checkpoint has no chat template."""
        if not getattr(processor, "chat_template", None):
            raise CheckpointBroken(
                f"the checkpoint of the architecture {found!r} has no chat template, so it follows "
                "no instructions. Name one that was trained to, or for BLIP the families `blip` "
                "and `blip2`."
            )

    @inference
    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image, the most likely one; may be empty."""
        instruction = self.config.instruction or INSTRUCTION
        return self._answer(images, [instruction] * len(images), self.config.max_new_tokens)

    @inference
    def ask(self, images: Sequence[RgbImage], questions: Sequence[str]) -> list[str]:
        """Return one short, stripped answer per image, the most likely one; may be empty.

        Args:
            images: (H, W, 3) each; sizes may differ.
            questions: One per image, in the same order.
        """
        return self._answer(images, questions, self.config.max_answer_tokens)

    def _answer(
        self, images: Sequence[RgbImage], requests: Sequence[str], max_new_tokens: int
    ) -> list[str]:
        """Return the answer to one request about each image, without the model's thoughts."""
        if not images:
            return []
        inputs = self._processor.apply_chat_template(
            [
                _conversation(image, self._plain(request))
                for image, request in zip(images, requests, strict=True)
            ],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
            **self._without_thinking(),
        ).to(self._model.device, self._model.dtype)
        tokenizer = self._processor.tokenizer
        tokens = self._model.generate(
            **inputs, max_new_tokens=max_new_tokens, pad_token_id=tokenizer.pad_token_id, **GREEDY
        )
        prompts = inputs["input_ids"]
        ends = tokenizer.batch_decode(prompts[:, -PROMPT_END:])
        answers = tokenizer.batch_decode(tokens[:, prompts.shape[1] :], skip_special_tokens=True)
        return [without_thoughts(*pair) for pair in zip(ends, answers, strict=True)]

    def _plain(self, request: str) -> str:
        """Return a request without the tokenizer's special words: a label may contain "<image>"."""
        special = sorted(self._processor.tokenizer.all_special_tokens, key=len, reverse=True)
        return re.sub(rf"(?:{'|'.join(map(re.escape, special))})+", " ", request)

    def _without_thinking(self) -> dict[str, bool]:
        """Return what turns off the thoughts of a model whose template can do that."""
        knows = "enable_thinking" in str(self._processor.chat_template)
        return {"enable_thinking": False} if knows else {}


@dataclass(frozen=True, slots=True)
class TaskModel:
    """A Captioner that is asked by a task word: Florence-2."""

    config: VisionLanguageConfig
    identity: ModelIdentity
    _model: Any
    _processor: Any

    @staticmethod
    def refuse(config: VisionLanguageConfig, found: str, _processor: Any) -> None:  # noqa: ANN401
        """Raise CheckpointBroken if `instruction` is not a task that gives a caption."""
        known = TASK_WORDS[found]
        if config.instruction is not None and config.instruction not in known:
            raise CheckpointBroken(
                f"`instruction` is {config.instruction!r}, but {found} takes one of "
                f"{', '.join(known)}. Correct it, or delete the line."
            )

    @inference
    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image, the most likely one; may be empty."""
        if not images:
            return []
        task = self.config.instruction or TASK_WORDS[self._model.config.model_type][0]
        inputs = self._processor(
            text=[task] * len(images),
            images=[Image.fromarray(image) for image in images],
            padding=True,
            return_tensors="pt",
        ).to(self._model.device, self._model.dtype)
        tokens = self._model.generate(**inputs, max_new_tokens=self.config.max_new_tokens, **GREEDY)
        captions = self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(clean(caption).split()) for caption in captions]


def without_thoughts(prompt_end: str, text: str) -> str:
    """Return an answer on one line without the thoughts before it.

    Args:
        prompt_end: The end of the prompt, where a template may have opened the thoughts.
        text: What the model wrote.
    """
    marks = list(THOUGHT_MARK.finditer(prompt_end))
    is_open = bool(marks) and marks[-1].lastgroup is None
    answer, _ = split_thoughts(f"{marks[-1].group()}{text}" if is_open else text)
    return " ".join(clean(answer).split())


def _pad_left(tokenizer: Any) -> None:  # noqa: ANN401 (a tokenizer)
    """Make prompts of a batch end together, where the answers begin."""
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token


def _conversation(image: RgbImage, request: str) -> list[dict[str, Any]]:
    picture = {"type": "image", "image": Image.fromarray(image)}
    return [{"role": "user", "content": [picture, {"type": "text", "text": request}]}]
