"""PNG files, written and read several times faster than Pillow does."""

import struct
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

zlib: Any = import_module("isal.isal_zlib" if find_spec("isal") else "zlib")
"""The same functions several times faster, on processors for which isal has a wheel."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB_8_BIT = struct.pack(">BBBBB", 8, 2, 0, 0, 0)
"""IHDR after the size: 8 bits, RGB, the only compression and filter method, not interlaced."""
UP = 2
"""The row filter that predicts a value as the one above it; NumPy can also undo it."""
LEVEL = 1
FIRST_BYTES = 16
"""Compressed as a block of their own, so that equal images have equal files: otherwise isal chooses
how it compresses the beginning by an address in memory (`findings/isal-output-by-address.sh`)."""
MOST_PIXELS = 2**26
"""Larger images are left to Pillow, which has its own limits."""
HEADER = struct.Struct(">I4s")
"""Start of a chunk: length of its content, and its kind; a checksum of 4 bytes ends it."""


def encode_png(pixels: NDArray[np.uint8], key: str, text: str) -> bytes:
    """Return a PNG file; other threads run while it is filtered and compressed.

    Filter and compression are a measured choice (docs/adr/0018).

    Args:
        pixels: (H, W, 3) uint8 RGB.
        key: Latin-1 keyword of the text, 1 to 79 characters.
        text: Stored as an `iTXt` chunk before the pixels.
    """
    height, width, _ = pixels.shape
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", struct.pack(">II", width, height) + RGB_8_BIT),
            _chunk(b"iTXt", key.encode("latin-1") + bytes(5) + text.encode()),
            _chunk(b"IDAT", _compress(_filter(pixels.reshape(height, -1)).ravel().data)),
            _chunk(b"IEND", b""),
        ]
    )


def decode_png(content: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of a file that `encode_png` wrote, (H, W, 3) uint8 RGB.

    Checksums of chunks are not looked at. None: another program wrote the file, or an earlier
    version of this one, or it is damaged; Pillow can say more.
    """
    try:
        header, _, packed, _ = _chunks(content)
        width, height = struct.unpack_from(">II", header)
        if header[8:] != RGB_8_BIT or not 0 < width * height < MOST_PIXELS:
            return None
        size = height * (1 + 3 * width)
        unpacked = zlib.decompressobj().decompress(packed, size)
    except (ValueError, struct.error, zlib.error):
        return None
    rows = np.frombuffer(unpacked, np.uint8)
    return _unfilter(rows.reshape(height, -1), width) if rows.size == size else None


def _compress(rows: memoryview) -> bytes:
    """Return filtered rows as a zlib stream that depends on nothing else."""
    packer = zlib.compressobj(LEVEL)
    first = packer.compress(rows[:FIRST_BYTES]) + packer.flush(zlib.Z_SYNC_FLUSH)
    return b"".join([first, packer.compress(rows[FIRST_BYTES:]), packer.flush()])


def _filter(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, 1 + 3 W) bytes: the filter of each row, then its differences, modulo 256."""
    rows = np.empty((len(values), 1 + values.shape[1]), np.uint8)
    rows[:, 0] = UP
    rows[0, 1:] = values[0]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    return rows


def _unfilter(rows: NDArray[np.uint8], width: int) -> NDArray[np.uint8] | None:
    """Return the image that was filtered; None if by another filter."""
    if np.any(rows[:, 0] != UP):
        return None
    values = rows[:, 1:].copy()
    for above, row in pairwise(values):  # faster than `np.add.accumulate` along the first axis
        np.add(row, above, out=row)
    return values.reshape(-1, width, 3)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return HEADER.pack(len(content), kind) + content + struct.pack(">I", checksum)


def _chunks(content: bytes) -> list[memoryview]:
    """Return the contents of the four chunks that `encode_png` writes.

    Raises:
        ValueError: If there are others.
        struct.error: If the file ends early.
    """
    found = []
    position = len(SIGNATURE)
    for wanted in (b"IHDR", b"iTXt", b"IDAT", b"IEND"):
        length, kind = HEADER.unpack_from(content, position)
        if kind != wanted:
            raise ValueError(kind)
        start = position + HEADER.size
        found.append(memoryview(content)[start : start + length])
        position = start + length + 4
    return found
