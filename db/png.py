"""Encoding of PNG files: lossless, with a text inside, at a tenth of the usual processor time."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB_8_BIT = struct.pack(">BBBBB", 8, 2, 0, 0, 0)
"""IHDR after the size: 8 bits, RGB, the only compression and filter method, not interlaced."""
AVERAGE = 3
"""The row filter that predicts a value as the mean of its left and upper neighbours."""
LEVEL = 1
WINDOW_BITS = 15
MEMORY_LEVEL = 9


def encode_png(pixels: NDArray[np.uint8], key: str, text: str) -> bytes:
    """Return a PNG file; other threads run while it is filtered and compressed.

    Filter and strategy are a measured choice (docs/adr/0018): one filter for all rows, and run
    lengths instead of a search for repetitions, which painted images do not have.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        key: Latin-1 keyword of the text, 1 to 79 characters.
        text: Stored as an `iTXt` chunk before the pixels.
    """
    height, width, _ = pixels.shape
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL, zlib.Z_RLE)
    filtered = _filter(pixels.reshape(height, -1))
    rows = compressor.compress(filtered.data) + compressor.flush()
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", struct.pack(">II", width, height) + RGB_8_BIT),
            _chunk(b"iTXt", key.encode("latin-1") + bytes(5) + text.encode()),
            _chunk(b"IDAT", rows),
            _chunk(b"IEND", b""),
        ]
    )


def _filter(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, 1 + 3 W) bytes: the filter of each row, then its differences, modulo 256."""
    left = np.zeros_like(values)
    left[:, 3:] = values[:, :-3]
    above = np.zeros_like(values)
    above[1:] = values[:-1]
    mean = (left >> 1) + (above >> 1) + (left & above & 1)  # rounded down, without overflow
    rows = np.empty((len(values), 1 + values.shape[1]), np.uint8)
    rows[:, 0] = AVERAGE
    np.subtract(values, mean, out=rows[:, 1:])
    return rows


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
