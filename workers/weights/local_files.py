"""Local weight files: find them, identify their revision, and report loading errors."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

from chatgenimage.workers.config import GroundingDinoOriginalConfig
from chatgenimage.workers.device import is_out_of_memory
from chatgenimage.workers.errors import (
    CheckpointBroken,
    CheckpointNotFound,
    OutOfMemory,
    WorkerError,
)
from chatgenimage.workers.painter_config import DiffusionConfig
from chatgenimage.workers.values import ModelIdentity
from chatgenimage.workers.weights import download, hub
from chatgenimage.workers.weights.catalog import PUBLISHED_FILES
from chatgenimage.workers.weights.library_warnings import route_library_warnings
from chatgenimage.workers.weights.licences import read_licence
from chatgenimage.workers.weights_config import WeightsConfig

BUNDLED_PREFIX = "bundled:"
BUNDLED_FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION_LENGTH = 16
CALCULATED = frozenset(
    {"inv_freq", "num_batches_tracked", "position_ids", "relative_position_index"}
)
"""Last parts of the names of stored values that no training changes."""
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """One source of a family's files.

    Attributes:
        checkpoint: "bundled:<name>" for weights of the package, a local folder, `.safetensors` or
            `.pth` file, or a hub id "owner/name".
        revision: Hub commit or branch; unused for local weights.
        wanted: Patterns of the files to download from a hub repository.
    """

    checkpoint: str
    revision: str | None = None
    wanted: tuple[str, ...] = hub.WANTED


def sources_of(config: WeightsConfig) -> list[WeightsSource]:
    """Return all sources of a family's files, its own weights first."""
    sources = [WeightsSource(config.checkpoint, config.revision, _wanted_by(config))]
    if isinstance(config, DiffusionConfig):
        sources += [WeightsSource(name, wanted=hub.WANTED_ADAPTER) for name in config.lora]
        if config.settings_of is not None:
            sources.append(WeightsSource(config.settings_of, wanted=hub.SETTINGS))
    if (
        isinstance(config, GroundingDinoOriginalConfig)
        and not local_path(config.checkpoint).is_dir()
    ):
        sources.append(WeightsSource(config.text_encoder, wanted=hub.SETTINGS))
    return sources


def _wanted_by(config: WeightsConfig) -> tuple[str, ...]:
    """Return the patterns of a family's own files in a hub repository."""
    wanted: tuple[str, ...]
    wanted = hub.WANTED_BY_FAMILY.get(config.model_dump()["family"], hub.WANTED)
    if not isinstance(config, DiffusionConfig):
        return wanted
    wanted = hub.WANTED_BY_VARIANT[config.variant] if config.variant else wanted
    return (*wanted, hub.WANTED_CHECKER) if config.safety_checker else wanted


def locate(config: WeightsConfig) -> Path:
    """Return the folder or file of a family's weights; download them from the hub if needed.

    Raises:
        CheckpointNotFound: If there are no weights.
    """
    return resolve(sources_of(config)[0])


def find(config: WeightsConfig) -> Path | None:
    """Return the local path of a family's weights; None: they must be downloaded first."""
    source = sources_of(config)[0]
    if hub.is_hub_id(source.checkpoint):
        return hub.find_fetched(source.checkpoint, source.revision, source.wanted)
    path = local_path(source.checkpoint)
    return path if path.exists() and weights_in(path) else None


def locate_adapters(config: DiffusionConfig) -> list[Path]:
    """Return the folders or files of a pipeline's LoRA weights.

    Raises:
        CheckpointNotFound: If some do not exist.
    """
    return [resolve(WeightsSource(name, wanted=hub.WANTED_ADAPTER)) for name in config.lora]


def locate_settings(checkpoint: str) -> Path:
    """Return the folder of a checkpoint's settings and vocabulary; downloads no weights.

    Raises:
        CheckpointNotFound: If it is neither on this machine nor on the hub.
    """
    return resolve(WeightsSource(checkpoint, wanted=hub.SETTINGS))


def resolve(source: WeightsSource) -> Path:
    """Return the folder or file of a source; download it from the hub if needed.

    Raises:
        CheckpointNotFound: If it has no weights, or no settings if only those are wanted.
    """
    path = local_path(source.checkpoint)
    if not path.exists():
        if not hub.is_hub_id(source.checkpoint):
            raise CheckpointNotFound(f"no checkpoint at {path}; {_remedy(source.checkpoint)}")
        path = hub.fetch_snapshot(source.checkpoint, source.revision, source.wanted)
    return path if source.wanted == hub.SETTINGS else _with_weights(path)


def local_path(checkpoint: str) -> Path:
    """Return the path of a checkpoint that is bundled or a local file."""
    if checkpoint.startswith(BUNDLED_PREFIX):
        return BUNDLED_FOLDER / checkpoint.removeprefix(BUNDLED_PREFIX)
    return Path(checkpoint).expanduser()


def fetch_source(source: WeightsSource) -> Path:
    """Do the same as `resolve`, but first download a file that is published outside the hub.

    Raises:
        CheckpointNotFound: If the download fails.
    """
    path = local_path(source.checkpoint)
    published = PUBLISHED_FILES.get(path.name)
    if published is not None and not path.exists():
        download.fetch_file(published.url, path, published.size_bytes, published.sha256)
    return resolve(source)


def weights_in(path: Path) -> list[Path]:
    """Return the weight files in a folder, or the file itself."""
    if path.is_file():
        return [path] if path.suffix in hub.WEIGHTS_FILES else []
    return sorted([*path.rglob("*.safetensors"), *path.rglob("*.pth")])


def revision_of(path: Path) -> str:
    """Return the hub commit of a snapshot, or a hash of local weights and their settings.

    Args:
        path: A path that `resolve` returned.

    Returns:
        Hexadecimal; equal revisions mean equal weights.
    """
    if path.parent.name == "snapshots" and COMMIT.fullmatch(path.name):
        return path.name
    digest = hashlib.sha256()
    for file in weights_in(path) + _settings_in(path):
        digest.update(file.relative_to(path.parent if path.is_file() else path).name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:REVISION_LENGTH]


def identity_of(config: WeightsConfig, path: Path, adapters: Sequence[Path] = ()) -> ModelIdentity:
    """Return the identity of the weights at `path`; the rest of `config` are their settings.

    The revision also depends on weights that were added (LoRA adapters).
    """
    named = {"family", "checkpoint", "revision"}
    return ModelIdentity(
        family=config.model_dump()["family"],
        checkpoint=config.checkpoint,
        revision="+".join(revision_of(place) for place in (path, *adapters)),
        settings=config.model_dump(exclude=named, mode="json"),
        licence=read_licence(path if path.is_dir() else path.parent),
    )


@contextmanager
def loading(checkpoint: str) -> Iterator[None]:
    """Convert all exceptions of libraries that load these weights to CheckpointBroken."""
    from safetensors import SafetensorError

    route_library_warnings()
    try:
        yield
    except WorkerError:
        raise
    except (
        AttributeError,
        EOFError,
        LookupError,
        OSError,
        RuntimeError,
        SafetensorError,
        TypeError,
        UnpicklingError,
        ValueError,
    ) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"the weights of {checkpoint} do not fit into the device's memory. Raise "
                "device_memory_share, stop other processes on the device (nvidia-smi), or name "
                "another device or a smaller checkpoint."
            ) from error
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointBroken(
            f"the checkpoint {checkpoint} does not load: {first_line}. "
            "Fetch it again, or name another in the profile."
        ) from error


def refuse_missing(missing_keys: set[str] | list[str]) -> None:
    """Raise CheckpointBroken for missing weights, which transformers would initialise randomly."""
    if missing_keys:
        some = ", ".join(sorted(missing_keys)[:3])
        raise CheckpointBroken(
            f"{len(missing_keys)} weights are missing, among them {some}. "
            "Fetch the checkpoint again, or name another in the profile."
        )


def refuse_unexpected(unexpected_keys: set[str] | list[str]) -> None:
    """Raise CheckpointBroken for weights that no part of the network takes.

    Values that older versions of the libraries stored, and that networks now calculate, are none.
    """
    learned = [key for key in unexpected_keys if key.rpartition(".")[2] not in CALCULATED]
    if learned:
        some = ", ".join(sorted(learned)[:3])
        raise CheckpointBroken(
            f"{len(learned)} weights have no place in this network, among them {some}; "
            "the checkpoint was trained for another task. Name another in the profile."
        )


def refuse_wordless(folder: Path) -> None:
    """Raise CheckpointBroken for a missing vocabulary, which transformers would leave empty."""
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise CheckpointBroken(
            f"the tokenizer in {folder} has no vocabulary ({', '.join(VOCABULARIES)}). "
            "Fetch the checkpoint again, or name another in the profile."
        )


def _with_weights(path: Path) -> Path:
    if not weights_in(path):
        raise CheckpointNotFound(
            f"{path} holds no .safetensors or .pth file; pickled .bin weights are not read. "
            "Convert them, set `variant: fp16` for a pipeline that is published in half precision "
            "only, or name another checkpoint in the profile."
        )
    return path


def _settings_in(path: Path) -> list[Path]:
    """Return the files next to the weights that affect the output as much as the weights do."""
    patterns = ("*config*.json", "chat_template*")
    found = [file for pattern in patterns for file in path.rglob(pattern)] if path.is_dir() else []
    return sorted(found)


def _remedy(checkpoint: str) -> str:
    if checkpoint.startswith(BUNDLED_PREFIX):
        return "train it with `make train`, or name another checkpoint in the profile."
    if Path(checkpoint).name in PUBLISHED_FILES:
        return "fetch it with `factory models pull`, or name another in the profile."
    return "name a folder, `bundled:<name>` or a hub id (owner/name) in the profile."
