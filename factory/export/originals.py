"""Original files of a person's pictures, found by name and content in folders that are named."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageOps
from sqlalchemy.orm import Session

from chatgenimage.db.exporting import PictureSource, iter_picture_sources
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.factory.errors import CannotWrite
from chatgenimage.factory.export.objects import SizeWh
from chatgenimage.factory.query.filters import shorten_list
from chatgenimage.factory.submission.image_listing import list_pictures
from chatgenimage.factory.submission.image_reader import (
    ORIENTATION,
    opened_picture,
    printable_name,
    upright_size,
    without_warnings,
)

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
"""Endings of the files that are copied byte for byte, by the format that Pillow names."""
UPRIGHT = 1
PNG_SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class Original:
    """The original file of a picture.

    Attributes:
        size_wh: Width and height, upright.
        is_copied: Whether an export copies the file byte for byte. A picture that must be turned,
            or whose format few readers know (HEIC), becomes an upright PNG with the same pixels.
    """

    path: Path
    sha256: str
    suffix: str
    size_wh: SizeWh
    is_copied: bool

    def read(self) -> bytes:
        """Return the image file for the export.

        Raises:
            CannotWrite: If the file has changed since the export began.
        """
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise CannotWrite(f"{self.path} has changed during the export; run it again.")
        return content if self.is_copied else to_upright_png(content)


class Originals:
    """The original files of an export's pictures."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """List the pictures of the folders; without folders, stored copies are exported.

        Raises:
            NothingFound: If there is no such folder, or no picture in it.
        """
        self.is_asked = bool(folders)
        self._paths: dict[str, list[Path]] = defaultdict(list)
        """By the name that an import gives them; the database never names a file to open."""
        for folder in folders:
            for name in list_pictures(folder).names:
                self._paths[printable_name(name)].append(folder / name)
        self._found: dict[int, Path] = {}
        self.missing: dict[int, str] = {}
        """Why the files of candidates are not available, by candidate."""
        self._missing_names: list[str] = []
        self._converted = 0

    def check(self, session: Session, wanted: CandidateFilter) -> None:
        """Find the file of every picture of a filter."""
        for source in iter_picture_sources(session, wanted) if self.is_asked else ():
            paths = self._paths.get(source.name, ())
            same = (path for path in paths if _sha256_of(path) == source.sha256)
            path = next(same, None)
            if path is None:
                self.missing[source.candidate_id] = self._reason(source)
                self._missing_names.append(source.name)
            else:
                self._found[source.candidate_id] = path
                self._converted += not _open(path, "").is_copied

    def of(self, candidate: Candidate) -> Original | None:
        """Return a candidate's original file; None if its stored image is exported."""
        path = self._found.get(candidate.id)
        return None if path is None else _open(path, str(candidate.source_sha256))

    def describe(self) -> Iterator[str]:
        """Yield a sentence for everything that a person may not expect of the files."""
        if self._converted:
            yield (
                "Original files that became upright PNG files with the same pixels, because few "
                f"readers turn a picture or read HEIC: {self._converted}."
            )
        if self.missing:
            reasons = Counter(self.missing.values()).items()
            yield (
                f"{len(self.missing)} of {len(self.missing) + len(self._found)} original files are "
                f"not available ({', '.join(f'{why} {count}' for why, count in reasons)}): "
                f"{shorten_list(self._missing_names)}. Their stored copies were exported instead."
            )

    def _reason(self, source: PictureSource) -> str:
        if source.sha256 is None:
            return "annotated by an earlier version, which kept no checksum"
        return "changed" if source.name in self._paths else "not found"


def to_upright_png(content: bytes) -> bytes:
    """Return a picture as PNG, turned upright; pixels and colour profile stay the same."""
    buffer = io.BytesIO()
    with without_warnings(), opened_picture(io.BytesIO(content)) as (image, _):
        upright = ImageOps.exif_transpose(image)
        is_cmyk = upright.mode not in {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}
        profile = None if is_cmyk else image.info.get("icc_profile")
        shown = upright.convert("RGB") if is_cmyk else upright
        shown.save(buffer, format="PNG", icc_profile=profile, exif=b"")
    return buffer.getvalue()


def _open(path: Path, sha256: str) -> Original:
    with path.open("rb") as file, without_warnings(), opened_picture(file) as (image, _):
        orientation = image.getexif().get(ORIENTATION, UPRIGHT)
        is_copied = orientation == UPRIGHT and image.format in SUFFIXES
        suffix = SUFFIXES[str(image.format)] if is_copied else PNG_SUFFIX
        return Original(path, sha256, suffix, upright_size(image.size, orientation), is_copied)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
