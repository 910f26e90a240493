"""Answers of image servers: images in base64 or at an address, and counts of tokens."""

import base64
import binascii
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from chatgenimage.workers.llm.address import origin_of
from chatgenimage.workers.llm.completion import count_of
from chatgenimage.workers.llm.server_errors import ServerRefused, find_error
from chatgenimage.workers.llm.text import clean
from chatgenimage.workers.values import RgbImage

MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64_000_000
LEAST_SIDE_PX = 16
FORMATS = ("PNG", "JPEG", "WEBP")
BROKEN = (
    *(UnidentifiedImageError, Image.DecompressionBombError),
    *(OSError, ValueError, SyntaxError, struct.error),
)
"""What Pillow raises for files that are broken."""
NOTHING = "the server sent no image"
DATA_URL = "data:image/"


class ImageUnreadable(Exception):
    """A server's answer has no image that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """What a server sent for one request.

    Attributes:
        encoded: The first image's file, or the address where it is; None if there is none.
        count: Number of images: all are paid for. An answer without one counts as one, because the
            server may have painted it.
        prompt_tokens: As the server counted them; None if it did not.
        completion_tokens: As the server counted them; None if it did not.
        problem: Why there is no image; "" if there is one.
    """

    encoded: bytes | str | None
    count: int
    prompt_tokens: int | None
    completion_tokens: int | None
    problem: str = ""

    @classmethod
    def without_image(cls, problem: str, usage: object = None) -> Self:
        """Return an answer that has no image; `usage` has its counts of tokens."""
        return cls(None, 1, *_count_tokens(usage), problem)


def read_image_answer(body: str) -> ImageAnswer:
    """Return the first image in the body of a response with HTTP status 200.

    Raises:
        ServerRefused: If the body is an error instead.
    """
    try:
        parsed = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return ImageAnswer.without_image("the server sent no JSON")
    if not isinstance(parsed, Mapping):
        return ImageAnswer.without_image(NOTHING)
    usage = parsed.get("usage")
    sent = parsed.get("data") or parsed.get("images")
    there = [each for each in sent if isinstance(each, Mapping)] if isinstance(sent, list) else []
    if not there:
        if error := find_error(parsed):
            raise ServerRefused(error)
        return ImageAnswer.without_image(NOTHING, usage)
    tokens = _count_tokens(usage)
    try:
        return ImageAnswer(_encoded(there[0]), len(there), *tokens)
    except ImageUnreadable as error:
        return ImageAnswer(None, len(there), *tokens, str(error))


def resolve_url(url: str, base_url: str) -> str:
    """Return the address of an image, which must be on the server's own host.

    Raises:
        ImageUnreadable: If it is elsewhere: a server must not send this machine to other places.
    """
    try:
        target = urljoin(base_url, url)
        there, here = urlsplit(target), urlsplit(base_url)
        is_here = origin_of(there) == origin_of(here)
    except ValueError as error:
        raise ImageUnreadable(f"the server sent no address of an image: {error}") from None
    if not is_here:
        raise ImageUnreadable(
            f"the server sent the address of an image at {clean(str(there.hostname))[:100]}, not "
            "on its own host, which is not fetched: set `response_format: b64_json`"
        )
    return target


def decode_image(content: bytes) -> RgbImage:
    """Return the pixels of a PNG, JPEG or WebP file, (H, W, 3) uint8 RGB.

    It is turned upright, 16 bits become 8, and what is transparent is put on white.

    Raises:
        ImageUnreadable: If it is none, transparent all over, too large or too small.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(*image.size)
            return np.array(_to_rgb(ImageOps.exif_transpose(_to_8_bits(image))))
    except BROKEN as error:
        raise ImageUnreadable(
            f"the server's image cannot be read: {clean(str(error))[:100]}"
        ) from None


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ImageUnreadable(f"the server's image is too large: {width}x{height}")
    if min(width, height) < LEAST_SIDE_PX:
        raise ImageUnreadable(
            f"the server's image is {width}x{height} pixels, and the least is {LEAST_SIDE_PX}"
        )


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Return an image of 16-bit grey, which Pillow would cut at 255 instead, with 8 bits."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.array(image).clip(0, 65535) // 257).astype(np.uint8))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return an image without alpha, on white.

    Raises:
        ImageUnreadable: If nothing of it can be seen.
    """
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    if layer.getchannel("A").getextrema() == (0, 0):
        raise ImageUnreadable("the server's image is entirely transparent")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def encode_image(image: RgbImage, transparent: np.ndarray | None = None) -> bytes:
    """Return a PNG file.

    Args:
        image: (H, W, 3) uint8 RGB.
        transparent: (H, W) bool, True where the file is transparent; None: it has no alpha.
    """
    if transparent is not None:
        alpha = np.where(transparent, 0, 255).astype(np.uint8)
        image = np.dstack([image, alpha])
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _count_tokens(usage: object) -> tuple[int | None, int | None]:
    """Return the tokens sent and received; None where the server did not count."""
    counts: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    return (
        count_of(counts.get("input_tokens", counts.get("prompt_tokens"))),
        count_of(counts.get("output_tokens", counts.get("completion_tokens"))),
    )


def _encoded(sent: Mapping[str, Any]) -> bytes | str:
    """Return the file of an image that the server sent, or the address where it is.

    Raises:
        ImageUnreadable: If it sent neither, or the file is not base64 or too large.
    """
    text = sent.get("b64_json") or sent.get("url")
    if not isinstance(text, str) or not text:
        raise ImageUnreadable(NOTHING)
    is_address = not sent.get("b64_json") and not text.startswith(DATA_URL)
    if is_address:
        return text
    try:
        content = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text)
    except (binascii.Error, ValueError):
        raise ImageUnreadable("the server's image is not base64") from None
    if len(content) > MOST_BYTES:
        raise ImageUnreadable(f"the server's image is too large: {len(content)} bytes")
    return content
