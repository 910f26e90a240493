"""Colours of a person's picture: any mode and any colour profile becomes sRGB on white."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

WHITE = (255, 255, 255, 255)
BITS_16_TO_8 = 1 / 257
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
REMARK = "its colour profile {}; read as sRGB"


@dataclass(frozen=True, slots=True)
class Coloured:
    """A picture in sRGB.

    Attributes:
        image: Mode RGB.
        remark: Why its colours may be wrong; None if they are right.
    """

    image: Image.Image
    remark: str | None = None


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture as L, RGB, RGBA or CMYK with the numbers that are in the file."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64) * BITS_16_TO_8
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8), "L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    return image.convert("L" if is_grey(image) else "RGB")


def is_grey(image: Image.Image) -> bool:
    """Return whether a picture has no colours by its mode."""
    return image.mode in GREY_MODES or image.mode.startswith("I;")


def to_srgb(image: Image.Image, profile: bytes | None, *, grey: bool) -> Coloured:
    """Return a picture in sRGB; transparent parts become white.

    Args:
        image: From `to_eight_bits`.
        profile: ICC profile; None if the picture has none, and is sRGB then.
        grey: Whether the file had no colours, although `image` may be RGBA.
    """
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    converted = Coloured(colours.convert("RGB"))
    if profile is not None:
        converted = _convert(colours, profile, grey=grey)
    if image.mode != "RGBA":
        return converted
    whole = converted.image.convert("RGBA")
    whole.putalpha(image.getchannel("A"))
    on_white = Image.alpha_composite(Image.new("RGBA", whole.size, WHITE), whole)
    return Coloured(on_white.convert("RGB"), converted.remark)


def _convert(colours: Image.Image, profile: bytes, *, grey: bool) -> Coloured:
    """Return an L, RGB or CMYK picture in sRGB, unchanged with a remark if that is impossible."""
    as_it_is = colours.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).startswith("sRGB"):
            return Coloured(as_it_is)
        mode = _mode_of(source.profile.xcolor_space.strip(), colours, grey=grey)
        if mode is None:
            return Coloured(as_it_is, REMARK.format("is for other colours than the file has"))
        converted = ImageCms.profileToProfile(
            colours.convert(mode),
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return Coloured(as_it_is, REMARK.format("cannot be used"))
    return Coloured(as_it_is if converted is None else converted)


def _mode_of(space: str, colours: Image.Image, *, grey: bool) -> str | None:
    """Return the mode in which a profile for `space` reads the picture; None if it cannot."""
    if space == "GRAY" and grey:
        return "L"
    if space == "RGB" and colours.mode != "CMYK":
        return "RGB"
    return "CMYK" if space == "CMYK" == colours.mode else None
