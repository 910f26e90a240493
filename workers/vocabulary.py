"""Vocabulary of a detector: finds labels that it cannot read, without loading the network."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chatgenimage.workers.config import GroundingDinoOriginalConfig
from chatgenimage.workers.weights import hub, local_files
from chatgenimage.workers.weights_config import DetectorConfig

if TYPE_CHECKING:
    from tokenizers import BertWordPieceTokenizer, Tokenizer

RESERVED = str.maketrans(".?", "  ")
"""Characters that separate labels in a prompt; a label cannot contain them."""


def as_prompt(label: str) -> str:
    """Return a label as a detector gets it: lower case, without reserved characters."""
    return " ".join(label.lower().translate(RESERVED).split())


def spelled_once(labels: Iterable[str]) -> dict[str, str]:
    """Return the first spelling of labels that are equal as a detector gets them, by that text."""
    spelled: dict[str, str] = {}
    for label in labels:
        spelled.setdefault(as_prompt(label), label)
    return spelled


def list_unreadable(config: DetectorConfig, labels: Iterable[str]) -> list[str]:
    """Return the labels with a word of which the detector's vocabulary has no part.

    Such a label finds nothing. Empty if the vocabulary or its reader is not on this machine.
    """
    tokenizer = _open(config)
    return [] if tokenizer is None else [one for one in labels if not _can_read(tokenizer, one)]


def _can_read(tokenizer: "Tokenizer | BertWordPieceTokenizer", label: str) -> bool:
    tokens = tokenizer.encode(as_prompt(label), add_special_tokens=False).tokens
    return bool(tokens) and "[UNK]" not in tokens


def _open(config: DetectorConfig) -> "Tokenizer | BertWordPieceTokenizer | None":
    """Return the tokenizer of a detector; None if its files or the package are not here."""
    folder = _find_folder(config)
    if folder is None:
        return None
    try:
        from tokenizers import BertWordPieceTokenizer, Tokenizer
    except ImportError:  # a machine that only submits
        return None
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "vocab.txt").is_file():
        return BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    return None


def _find_folder(config: DetectorConfig) -> Path | None:
    """Return the folder of the vocabulary, None if it was not fetched yet."""
    path = local_files.find(config)
    if not isinstance(config, GroundingDinoOriginalConfig):
        return path
    if path is not None and path.is_dir():
        return path / "text_encoder"
    if hub.is_hub_id(config.text_encoder):
        return hub.find_fetched(config.text_encoder, None, hub.SETTINGS)
    return local_files.local_path(config.text_encoder)
