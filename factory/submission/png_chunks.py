"""View of a PNG file without its text and colour profile chunks, which may be of any size.

Pillow limits such chunks for all pictures of a process, and refuses the whole picture if one is
larger. Their text (a workflow, an editing history) is not needed; the profile is read here, up to a
limit of its own.
"""

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEFT_OUT = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP"})
ORIENTATIONS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""Text chunks that may say how the picture is turned; they are kept if they are short."""
SHORT_BYTES = 64 * 2**10
HEAD = struct.Struct(">I4s")
CHECKSUM_BYTES = 4
MAX_PROFILE_BYTES = 16 * 2**20
"""Of a profile, decompressed; printers' profiles have up to a few MiB."""


@dataclass(frozen=True, slots=True)
class PngView:
    """The parts of a PNG file that its pixels need.

    Attributes:
        content: A seekable file of these parts.
        profile: The colour profile; empty if it cannot be read; None if there is none.
    """

    content: BinaryIO
    profile: bytes | None


def view_png(file: BinaryIO) -> PngView | None:
    """Return the view of an open file; None if it is not a PNG."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return None
    parts, profile = _Parts(), None
    parts.add(0, len(SIGNATURE))
    while len(head := file.read(HEAD.size)) == HEAD.size:
        length, kind = HEAD.unpack(head)
        start = file.tell() - HEAD.size
        content = file.read(min(length, MAX_PROFILE_BYTES)) if kind in LEFT_OUT else b""
        if kind == b"iCCP" and profile is None:
            profile = _decompress_profile(content)
        if kind not in LEFT_OUT or (length < SHORT_BYTES and content.startswith(ORIENTATIONS)):
            parts.add(start, HEAD.size + length + CHECKSUM_BYTES)
        file.seek(start + HEAD.size + length + CHECKSUM_BYTES)
    return PngView(cast("BinaryIO", io.BufferedReader(_Selection(file, parts))), profile)


@dataclass(slots=True)
class _Parts:
    """Ranges of a file, joined where they touch: (start in the view, start in the file, length)."""

    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    total: int = 0

    def add(self, start: int, length: int) -> None:
        """Append a range of the file, in bytes."""
        if self.ranges and sum(self.ranges[-1][1:]) == start:
            at, first, before = self.ranges[-1]
            self.ranges[-1] = (at, first, before + length)
        else:
            self.ranges.append((self.total, start, length))
        self.total += length


class _Selection(io.RawIOBase):
    """A file that consists of some ranges of another."""

    def __init__(self, file: BinaryIO, parts: _Parts) -> None:
        self._file = file
        self._parts = parts
        self._at = 0

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: it can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte and return its number, at least 0."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._parts.total}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer from the current place on and return how many bytes were read."""
        wanted = memoryview(buffer).cast("B")
        for at, start, length in self._parts.ranges:
            inside = self._at - at
            if 0 <= inside < length:
                self._file.seek(start + inside)
                found = self._file.read(min(len(wanted), length - inside))
                wanted[: len(found)] = found
                self._at += len(found)
                return len(found)
        return 0


def _decompress_profile(chunk: bytes) -> bytes:
    """Return the profile in an iCCP chunk: name, zero, compression method, zlib data."""
    _, _, rest = chunk.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if unpacker.eof else b""
