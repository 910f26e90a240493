"""The same work twice: as a family of the factory does it, and as a plain loop over its modules.

The plain loop is what a person writes after the model's card: images and captions as PIL and
lists, and no more precautions than the card takes. It reaches into the family for its networks, so
that both use the very same.
"""
# ruff: noqa: SLF001  (see above)

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything import SamPredictor

from chatgenimage.workers.values import RgbImage

PROMPT = "a dog in a forest"
NAMES = ("dog", "house", "tree", "car")
BOXES = 3


@dataclass(frozen=True, slots=True)
class Loops:
    """One pass over so many images, by the factory and by the plain loop."""

    factory: Callable[[int], object]
    plain: Callable[[int], object]


def loops_of(name: str, family: Any, side_px: int, device: str) -> Loops:  # noqa: ANN401
    """Return the loops of a network.

    Args:
        name: Its short name.
        family: Loaded by the factory.
        side_px: Of the images that are worked on.
        device: Where it computes.
    """
    pictures = draw_pictures(side_px)
    if name in {"sd15", "sdxl"}:
        return _painting(family, device)
    if name == "ip2p":
        return _editing(family, pictures, device)
    make = {
        "blip2": _captioning,
        "dino_base": _detecting,
        "dino_tiny": _detecting,
        "sam": _segmenting,
        "clip": _embedding,
    }[name]
    return make(family, pictures)


def draw_pictures(side_px: int, count: int = 16) -> list[RgbImage]:
    """Return pictures of coloured discs before gradients, each another."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:side_px, 0:side_px]
    pictures = []
    for _ in range(count):
        image = np.stack([255 * x / side_px, 255 * y / side_px, np.full(x.shape, 128.0)], axis=2)
        for _ in range(BOXES):
            center_x, center_y = draw.uniform(0.2, 0.8, 2) * side_px
            inside = (x - center_x) ** 2 + (y - center_y) ** 2 < (side_px / 8) ** 2
            image[inside] = draw.uniform(0, 255, 3)
        pictures.append(image.astype(np.uint8))
    return pictures


def prompts_of(count: int) -> list[str]:
    """Return so many prompts."""
    names = (NAMES * count)[:count]
    return [f"a {name} in a forest" for name in names]


def boxes_of(side_px: int) -> list[tuple[float, float, float, float]]:
    """Return the boxes that are cut out of every picture."""
    side = side_px / 4
    return [(place, place, place + side, place + side) for place in (0.0, side, 2 * side)]


def _painting(family: Any, device: str) -> Loops:  # noqa: ANN401
    plain, config = _plain_pipeline(family._generating), family.config
    width, height = config.size_wh

    def paint(count: int) -> object:
        """Paint this many images with the bare pipeline."""
        return plain(
            prompts_of(count),
            height=height,
            width=width,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            generator=_generators(count, device),
        ).images

    return Loops(lambda count: family.generate(prompts_of(count), range(count)), paint)


def _editing(family: Any, pictures: Sequence[RgbImage], device: str) -> Loops:  # noqa: ANN401
    plain, config = _plain_pipeline(family._editing), family.config

    def edit(count: int) -> object:
        """Edit this many pictures with the bare pipeline."""
        return plain(
            prompts_of(count),
            image=_as_pil(pictures[:count]),
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            image_guidance_scale=config.image_guidance_scale,
            generator=_generators(count, device),
        ).images

    return Loops(lambda count: family.edit(pictures[:count], prompts_of(count), range(count)), edit)


def _captioning(family: Any, pictures: Sequence[RgbImage]) -> Loops:  # noqa: ANN401
    model, processor = family._model, family._processor

    @torch.inference_mode()
    def caption(count: int) -> object:
        """Caption this many pictures with the bare network."""
        inputs = processor(images=_as_pil(pictures[:count]), return_tensors="pt")
        tokens = model.generate(
            **inputs.to(model.device, model.dtype), max_new_tokens=family.config.max_new_tokens
        )
        return processor.batch_decode(tokens, skip_special_tokens=True)

    return Loops(lambda count: family.caption(pictures[:count]), caption)


def _detecting(family: Any, pictures: Sequence[RgbImage]) -> Loops:  # noqa: ANN401
    model, processor = family._model, family._processor
    text = ". ".join(NAMES) + "."

    @torch.inference_mode()
    def detect(count: int) -> object:
        """Find the words in this many pictures with the bare network."""
        images = _as_pil(pictures[:count])
        inputs = processor(images=images, text=[text] * count, return_tensors="pt").to(model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
        return processor.post_process_grounded_object_detection(
            model(**inputs),
            inputs["input_ids"],
            threshold=family.config.box_threshold,
            target_sizes=[image.size[::-1] for image in images],
        )

    return Loops(lambda count: family.detect(pictures[:count], [NAMES] * count), detect)


def _segmenting(family: Any, pictures: Sequence[RgbImage]) -> Loops:  # noqa: ANN401
    boxes = boxes_of(pictures[0].shape[0])

    def segment(count: int) -> object:
        """Cut out the boxes of this many pictures with the bare network."""
        predictor = SamPredictor(family._sam)
        return [_segment_one(predictor, image, boxes) for image in pictures[:count]]

    return Loops(lambda count: family.segment(pictures[:count], [boxes] * count), segment)


def _segment_one(predictor: SamPredictor, image: RgbImage, boxes: Sequence[Any]) -> object:
    predictor.set_image(image)
    frame = torch.tensor(boxes, device=predictor.device)
    scaled = predictor.transform.apply_boxes_torch(frame, image.shape[:2])
    masks, _, _ = predictor.predict_torch(None, None, boxes=scaled, multimask_output=False)
    return masks.cpu().numpy()


def _embedding(family: Any, pictures: Sequence[RgbImage]) -> Loops:  # noqa: ANN401
    model, preprocess, device = family._model, family._preprocess, family._device
    dtype = next(model.parameters()).dtype

    @torch.inference_mode()
    def embed(count: int) -> object:
        """Embed this many pictures with the bare network."""
        stacked = torch.stack([preprocess(image) for image in _as_pil(pictures[:count])])
        features = model.encode_image(stacked.to(device, dtype))
        return (features / features.norm(dim=-1, keepdim=True)).float().cpu().numpy()

    return Loops(lambda count: family.embed_images(pictures[:count]), embed)


def _plain_pipeline(pipeline: Any) -> Any:  # noqa: ANN401
    """Return another pipeline of the same class over the same modules."""
    kind = type(pipeline)
    named = inspect.signature(kind.__init__).parameters
    extra = {"requires_safety_checker": False} if "requires_safety_checker" in named else {}
    plain = kind(**pipeline.components, **extra)
    plain.set_progress_bar_config(disable=True)
    return plain


def _generators(count: int, device: str) -> list[torch.Generator]:
    return [torch.Generator(device).manual_seed(seed) for seed in range(count)]


def _as_pil(pictures: Sequence[RgbImage]) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in pictures]
