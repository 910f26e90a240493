"""Downloads from a hub: one copy of a repository's weights, without pickles, and its settings."""

import re
from collections.abc import Sequence
from pathlib import Path

from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.weights.download import first_line

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
WEIGHTS_FILES = (".safetensors", ".pth")

SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja", "README.md")
WANTED = (*SETTINGS, "*model*.safetensors")
WANTED_ADAPTER = (*SETTINGS, "*.safetensors")
WANTED_BY_FAMILY: dict[str, tuple[str, ...]] = {
    "open_clip": (*SETTINGS, "open_clip_model.safetensors")
}
"""Patterns for families whose repositories contain weights for two libraries."""
WANTED_BY_VARIANT: dict[str, tuple[str, ...]] = {
    "fp16": (*SETTINGS, "*model*.fp16.safetensors", "*model*.fp16-*.safetensors")
}
WANTED_CHECKER = "safety_checker/*.json"
"""Names the checker's folder, so that its weights, which other patterns match, are not left out."""
UNWANTED = ("*.fp16*", "*.non_ema*", "safety_checker/*", "vae_1_0/*")
"""Patterns of files that are left out unless a wanted pattern names their kind."""


def is_hub_id(checkpoint: str) -> bool:
    """Return whether a checkpoint is a hub id: "owner/name", and not an existing file."""
    path = Path(checkpoint).expanduser()
    is_file = path.exists() or path.suffix in WEIGHTS_FILES
    return not is_file and HUB_ID.fullmatch(checkpoint) is not None


def unwanted_by(wanted: Sequence[str]) -> list[str]:
    """Return the patterns of files to leave out, although a wanted pattern may match them."""
    return [
        pattern for pattern in UNWANTED if not any(pattern.strip("*/") in wish for wish in wanted)
    ]


def fetch_snapshot(hub_id: str, revision: str | None, wanted: Sequence[str]) -> Path:
    """Return the local snapshot of a hub repository; download missing files.

    Broken connections are retried; after an interruption, complete files are kept.

    Args:
        hub_id: "owner/name".
        revision: Commit, branch or tag; None: the main branch.
        wanted: Patterns of the files that are needed.

    Raises:
        CheckpointNotFound: If it is neither on this machine nor on the hub.
    """
    from httpx2 import HTTPError

    try:
        return _snapshot(hub_id, revision, wanted)
    except (OSError, HTTPError) as error:
        at = f" at revision {revision}" if revision else ""
        raise CheckpointNotFound(
            f"no folder {hub_id}, and the hub did not provide {hub_id}{at} ({first_line(error)}); "
            "name a folder, `bundled:<name>` or a hub id (owner/name) in the profile."
        ) from error


def find_fetched(hub_id: str, revision: str | None, wanted: Sequence[str]) -> Path | None:
    """Return the local snapshot of a hub repository if all wanted files are there, else None."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _snapshot(hub_id, revision, wanted, local_files_only=True)
    except LocalEntryNotFoundError:
        return None


def _snapshot(
    hub_id: str, revision: str | None, wanted: Sequence[str], *, local_files_only: bool = False
) -> Path:
    """Return the folder of a repository's files, downloaded unless `local_files_only`."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            hub_id,
            revision=revision,
            allow_patterns=list(wanted),
            ignore_patterns=unwanted_by(wanted),
            local_files_only=local_files_only,
        )
    )
