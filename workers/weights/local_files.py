"""Where weights lie, which weights they are, and what is said when they do not load."""

import hashlib
import importlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

from chatgenimage.workers.config import DiffusionConfig, GroundingDinoOriginalConfig, WeightsConfig
from chatgenimage.workers.device import is_out_of_memory
from chatgenimage.workers.errors import (
    CheckpointBroken,
    CheckpointNotFound,
    OutOfMemory,
    WorkerError,
)
from chatgenimage.workers.values import ModelIdentity
from chatgenimage.workers.weights import download, hub
from chatgenimage.workers.weights.catalog import PUBLISHED_FILES

BUNDLED_PREFIX = "bundled:"
BUNDLED_FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION_LENGTH = 16
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt")


@dataclass(frozen=True, slots=True)
class Source:
    """One place that a family takes files from.

    Attributes:
        checkpoint: "bundled:<name>" for weights of the package, a local folder, `.safetensors` or
            `.pth` file, or a hub id "owner/name".
        revision: Hub commit or branch; means nothing for local weights.
        wanted: Patterns of what is fetched of a hub repository.
    """

    checkpoint: str
    revision: str | None = None
    wanted: tuple[str, ...] = hub.WANTED


def sources_of(config: WeightsConfig) -> list[Source]:
    """Return everything that a family takes files from, its own weights first."""
    family = config.model_dump()["family"]
    wanted = hub.WANTED_BY_FAMILY.get(family, hub.WANTED)
    sources = [Source(config.checkpoint, config.revision, wanted)]
    if isinstance(config, DiffusionConfig):
        sources += [Source(name, wanted=hub.WANTED_ADAPTER) for name in config.lora]
        if config.settings_of is not None:
            sources.append(Source(config.settings_of, wanted=hub.SETTINGS))
    if (
        isinstance(config, GroundingDinoOriginalConfig)
        and not local_path(config.checkpoint).is_dir()
    ):
        sources.append(Source(config.text_encoder, wanted=hub.SETTINGS))
    return sources


def locate(config: WeightsConfig) -> Path:
    """Return the folder or file that holds a family's weights, fetched from the hub if need be.

    Raises:
        CheckpointNotFound: If there are no weights.
    """
    return resolve(sources_of(config)[0])


def find(config: WeightsConfig) -> Path | None:
    """Return where a family's weights lie on this machine; None: they must be fetched first."""
    source = sources_of(config)[0]
    if hub.is_hub_id(source.checkpoint):
        return hub.find_fetched(source.checkpoint, source.revision, source.wanted)
    path = local_path(source.checkpoint)
    return path if path.exists() and weights_in(path) else None


def locate_adapters(config: DiffusionConfig) -> list[Path]:
    """Return the folders or files that hold the LoRA weights of a pipeline.

    Raises:
        CheckpointNotFound: If some are not there.
    """
    return [resolve(Source(name, wanted=hub.WANTED_ADAPTER)) for name in config.lora]


def locate_settings(checkpoint: str) -> Path:
    """Return the folder with a checkpoint's settings and vocabulary; weights are not fetched.

    Raises:
        CheckpointNotFound: If it is neither here nor on the hub.
    """
    return resolve(Source(checkpoint, wanted=hub.SETTINGS))


def resolve(source: Source) -> Path:
    """Return the folder or file that holds what is wanted, fetched from the hub if need be.

    Raises:
        CheckpointNotFound: If there are no weights, or no settings where only they are wanted.
    """
    path = local_path(source.checkpoint)
    if not path.exists():
        if not hub.is_hub_id(source.checkpoint):
            raise CheckpointNotFound(f"no checkpoint at {path}; {_remedy(source.checkpoint)}")
        path = hub.fetch(source.checkpoint, source.revision, source.wanted)
    return path if source.wanted == hub.SETTINGS else _with_weights(path)


def local_path(checkpoint: str) -> Path:
    """Return where a checkpoint lies that is bundled or a file of this machine."""
    if checkpoint.startswith(BUNDLED_PREFIX):
        return BUNDLED_FOLDER / checkpoint.removeprefix(BUNDLED_PREFIX)
    return Path(checkpoint).expanduser()


def fetch(source: Source) -> Path:
    """Return what `resolve` does, after fetching a file that its publisher gives outside the hub.

    Raises:
        CheckpointNotFound: If it is not given.
    """
    path = local_path(source.checkpoint)
    published = PUBLISHED_FILES.get(path.name)
    if published is not None and not path.exists():
        download.fetch_file(published.url, path, published.size_bytes, published.sha256)
    return resolve(source)


def weights_in(path: Path) -> list[Path]:
    """Return the files of weights at a place, which is a folder or such a file."""
    if path.is_file():
        return [path] if path.suffix in hub.WEIGHTS_FILES else []
    return sorted([*path.rglob("*.safetensors"), *path.rglob("*.pth")])


def revision_of(path: Path) -> str:
    """Return the hub commit of a fetched snapshot, or a hash of local weights and their settings.

    Args:
        path: As `resolve` returned it.

    Returns:
        Hexadecimal; the same revision, the same weights.
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
    """Return which weights lie at `path`, with everything else in `config` as their settings.

    The revision tells of what was added to the weights too (LoRA adapters).
    """
    named = {"family", "checkpoint", "revision"}
    return ModelIdentity(
        family=config.model_dump()["family"],
        checkpoint=config.checkpoint,
        revision="+".join(revision_of(place) for place in (path, *adapters)),
        settings=config.model_dump(exclude=named, mode="json"),
    )


@contextmanager
def loading(checkpoint: str) -> Iterator[None]:
    """Turn whatever a library raises over these weights into CheckpointBroken."""
    from safetensors import SafetensorError

    _silence()
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
                "device_memory_share, end what else holds the device (nvidia-smi), or name another "
                "device or a smaller checkpoint."
            ) from error
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointBroken(
            f"the checkpoint {checkpoint} does not load: {first_line}. "
            "Fetch it again, or name another in the profile."
        ) from error


def refuse_missing(missing_keys: set[str] | list[str]) -> None:
    """Raise CheckpointBroken if weights are missing, which transformers would fill at random."""
    if missing_keys:
        some = ", ".join(sorted(missing_keys)[:3])
        raise CheckpointBroken(
            f"{len(missing_keys)} weights are missing, among them {some}. "
            "Fetch the checkpoint again, or name another in the profile."
        )


def refuse_wordless(folder: Path) -> None:
    """Raise CheckpointBroken if there is no vocabulary, which transformers would leave empty."""
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise CheckpointBroken(
            f"the tokenizer in {folder} has no vocabulary ({', '.join(VOCABULARIES)}). "
            "Fetch the checkpoint again, or name another in the profile."
        )


def _with_weights(path: Path) -> Path:
    if not weights_in(path):
        raise CheckpointNotFound(
            f"{path} holds no .safetensors or .pth file; pickled .bin weights are not read. "
            "Convert them, or name another checkpoint in the profile."
        )
    return path


def _settings_in(path: Path) -> list[Path]:
    """Return the files beside the weights that shape the output as much as the weights do."""
    return sorted(path.rglob("*config*.json")) if path.is_dir() else []


def _remedy(checkpoint: str) -> str:
    if checkpoint.startswith(BUNDLED_PREFIX):
        return "train it with `make train`, or name another checkpoint in the profile."
    if Path(checkpoint).name in PUBLISHED_FILES:
        return "fetch it with `factory models pull`, or name another in the profile."
    return "name a folder, `bundled:<name>` or a hub id (owner/name) in the profile."


def _silence() -> None:
    """Keep progress bars and advice of the libraries in use out of a worker's log."""
    for name in {"diffusers", "transformers"} & sys.modules.keys():
        logging = importlib.import_module(f"{name}.utils.logging")
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    # Good advice for whoever writes or trains a Grounding DINO, none for whoever runs one.
    for advice in ("You'd better set embed_dim", "torch.meshgrid", "`torch.cuda.amp.autocast"):
        warnings.filterwarnings("ignore", message=advice)
