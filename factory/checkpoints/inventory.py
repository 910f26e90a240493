"""Inventory of a profile's models: licence, size, and whether they are downloaded."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from chatgenimage.factory.errors import CannotFetch, CannotWrite
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.profiles import find_profile
from chatgenimage.workers.config import FamilyConfig, RulesConfig
from chatgenimage.workers.device import pick_device, settle_dtype
from chatgenimage.workers.errors import CheckpointNotFound
from chatgenimage.workers.families import find_plugin
from chatgenimage.workers.painter_config import DiffusionConfig, GeneratorConfig
from chatgenimage.workers.server_config import OpenAiImagesConfig, ServerConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.catalog import (
    Published,
    PublishedRepository,
    find_published,
)
from chatgenimage.workers.weights.licences import read_licence
from chatgenimage.workers.weights_config import WeightsConfig

ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
SHARE_ON_DEVICE = {"none": 1.0, "model": 0.81, "sequential": 0.05}
"""Largest share of a pipeline's weights on the device, by `offload`; 0.81: 1.5's denoiser."""
PROJECT_LICENCE = "Apache-2.0"


class WeightsLocation(StrEnum):
    """Where the weights of a model are."""

    BUNDLED = "bundled"
    HERE = "here"
    ABSENT = "to pull"
    SERVICE = "a service"


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """A model that a profile uses.

    Attributes:
        key: Its name in the profile.
        roles: The workers that load it.
        family: Its family.
        checkpoint: Where its weights come from, or the name of a language model.
        revision: The hub commit that is pinned or was downloaded; None: not from the hub.
        licence: As stated by its publisher; None: not known.
        place: Where they are.
        download_bytes: Size of its weights; None: not known.
        device_bytes: Device memory of its weights while it works, without the images.
        work_bytes: Device memory for one image, at most; None: not known.
        is_offloaded: Whether its weights are on the device only while it works.
        price: What a service costs, in words; None: no service, or no price in the profile.
        condition: What its licence or publisher asks, if not only attribution; None: not known.
    """

    key: str
    roles: tuple[str, ...]
    family: str
    checkpoint: str
    revision: str | None
    licence: str | None
    place: WeightsLocation
    download_bytes: int | None = None
    device_bytes: int | None = None
    work_bytes: int | None = None
    is_offloaded: bool = False
    price: str | None = None
    condition: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Return whether the profile names the exact weights: a commit, a file or a folder."""
        from chatgenimage.workers.weights.hub import is_hub_id

        is_service = self.place is WeightsLocation.SERVICE
        return is_service or bool(self.revision) or not is_hub_id(self.checkpoint)


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A model, adapter or configuration that is now on this machine.

    Attributes:
        model: Name in the profile of the model that uses it.
        checkpoint: Name of the checkpoint in the profile.
        is_own: Whether these are the model's own weights, not an adapter or another model's
            configuration.
        commit: Commit of the hub repository; None: not from the hub.
        path: Where it is stored.
    """

    model: str
    checkpoint: str
    is_own: bool
    commit: str | None
    path: Path


def list_needs(settings: Settings) -> list[ModelRequirement]:
    """Return the models that a profile's roles load; nothing is downloaded or loaded."""
    loaded = dict.fromkeys(key for keys in settings.roles.values() for key in keys)
    return [_need(settings, key, settings.families[key]) for key in loaded]


def pending_bytes(config: FamilyConfig) -> int | None:
    """Return the size of a model's weights that are still to be downloaded; None: nothing is.

    0 if the size is not known. PyTorch is not imported.
    """
    if not isinstance(config, WeightsConfig) or local_files.find(config) is not None:
        return None
    published = find_published(config.checkpoint)
    return _download_bytes(config, published) if published else 0


def commit_of(path: Path | None) -> str | None:
    """Return the commit of a hub snapshot's folder; None: another path."""
    return path.name if path and path.parent.name == "snapshots" else None


def pull(settings: Settings) -> Iterator[PulledFile]:
    """Download everything that a profile's models need; yield each part once it is present.

    Raises:
        CannotFetch: If something cannot be downloaded.
    """
    for need in list_needs(settings):
        config = settings.families[need.key]
        if not isinstance(config, WeightsConfig):
            continue
        for source in local_files.sources_of(config):
            try:
                place = local_files.fetch_source(source)
            except CheckpointNotFound as error:
                raise CannotFetch(f"{need.key}: {error}") from None
            is_own = source.checkpoint == config.checkpoint
            yield PulledFile(need.key, source.checkpoint, is_own, commit_of(place), place)


def write_lock(profile: str, pulled: Sequence[PulledFile], to: Path) -> None:
    """Write a copy of a profile that pins the downloaded hub commits.

    Args:
        profile: Its name or path.
        pulled: What `pull` yielded.
        to: The new file.

    Raises:
        CannotWrite: If it would overwrite the profile itself.
    """

    def pin(content: dict[str, Any]) -> None:
        """Set the revisions in a profile's content."""
        for one in pulled:
            if one.is_own and one.commit is not None:
                content["families"][one.model]["revision"] = one.commit

    write_copy(profile, pin, to)


def write_copy(profile: str, change: Callable[[dict[str, Any]], None], to: Path) -> None:
    """Write a changed copy of a profile.

    Args:
        profile: Its name or path.
        change: Changes the content.
        to: The new file.

    Raises:
        CannotWrite: If it would overwrite the profile itself.
    """
    source = find_profile(profile)
    if to.exists() and to.samefile(source):
        raise CannotWrite(f"{to} is the profile itself; name another file for its copy.")
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    change(content)
    to.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _need(settings: Settings, key: str, config: FamilyConfig) -> ModelRequirement:
    """Return what one family needs: its files, memory, licence, and where its weights are."""
    roles = tuple(role for role, keys in settings.roles.items() if key in keys)
    if not isinstance(config, WeightsConfig):
        licence: str | None
        if plugin := find_plugin(config):
            name, licence = f"{plugin.package} {plugin.version}", None
            place = WeightsLocation.HERE
        elif isinstance(config, RulesConfig):
            name, licence, place = config.checkpoint, PROJECT_LICENCE, WeightsLocation.BUNDLED
        else:
            name, licence, place = config.model, None, WeightsLocation.SERVICE
        price = _price(config) if isinstance(config, ServerConfig) else None
        return ModelRequirement(key, roles, config.family, name, None, licence, place, price=price)
    published = find_published(config.checkpoint)
    path = local_files.find(config)
    here = _size_of(path) if path else None
    is_ours = config.checkpoint.startswith(local_files.BUNDLED_PREFIX)
    return ModelRequirement(
        key=key,
        roles=roles,
        family=config.family,
        checkpoint=config.checkpoint,
        revision=commit_of(path) or config.revision,
        licence=PROJECT_LICENCE if is_ours else _licence_of(published, path),
        download_bytes=_download_bytes(config, published) if published else here,
        device_bytes=_device_bytes(settings, config, path, published),
        work_bytes=_work_bytes(settings, config, published),
        is_offloaded=_offload_of(config) != "none",
        condition=published.condition if isinstance(published, PublishedRepository) else None,
        place=WeightsLocation.BUNDLED
        if is_ours
        else WeightsLocation.HERE
        if path
        else WeightsLocation.ABSENT,
    )


def _price(config: ServerConfig) -> str | None:
    """Return a server's prices in the currency of the budget; None if the profile has none."""
    prices = []
    if isinstance(config, OpenAiImagesConfig) and config.price_per_image:
        prices.append(f"{config.price_per_image:g} per image")
    if config.prompt_price or config.completion_price:
        pair = f"{config.prompt_price:g} sent, {config.completion_price:g} received"
        prices.append(f"{pair} per million tokens")
    return "; ".join(prices) or None


def _licence_of(published: Published | None, path: Path | None) -> str | None:
    """Return the licence of a checkpoint: of the catalogue, else of its own model card."""
    if published is not None:
        return published.licence
    return read_licence(path if path.is_dir() else path.parent) if path else None


def _download_bytes(config: WeightsConfig, published: Published) -> int:
    is_half = isinstance(config, DiffusionConfig) and config.variant == "fp16"
    return published.size_bytes // 2 if is_half else published.size_bytes


def _size_of(path: Path) -> int:
    return sum(file.stat().st_size for file in local_files.weights_in(path))


def _device_bytes(
    settings: Settings, config: WeightsConfig, path: Path | None, published: Published | None
) -> int | None:
    """Return the memory that the weights take on the device, bytes; None if it is not known."""
    item_bytes = ITEM_BYTES[settle_dtype(config.dtype, pick_device(settings.device))]
    share = SHARE_ON_DEVICE[offload := _offload_of(config)]
    if isinstance(published, PublishedRepository):
        if offload == "model" and published.offload_share is not None:
            share = published.offload_share
        size_bytes = published.loaded_bytes or published.size_bytes
        return int(size_bytes * share) * item_bytes // published.item_bytes
    if published is not None:  # these files have float32 weights
        return int(published.size_bytes * share) * item_bytes // 4
    files = local_files.weights_in(path) if path else []
    if not files or any(file.suffix != ".safetensors" for file in files):
        return None
    return int(sum(_count_numbers(file) for file in files) * share) * item_bytes


def _work_bytes(
    settings: Settings, config: WeightsConfig, published: Published | None
) -> int | None:
    """Return the memory for one image, of the largest size that a label asks for; None: unknown."""
    if published is None or published.work_bytes is None:
        return None
    usual = next((math.prod(each.size_wh) for each in _generators(settings)), None)
    if usual is None or not isinstance(config, DiffusionConfig):
        return published.work_bytes
    largest = max(map(math.prod, settings.chain.sizes.values()), default=usual)
    return int(published.work_bytes * max(largest / usual, 1.0))


def _generators(settings: Settings) -> Iterator[GeneratorConfig]:
    """Yield the families that paint images of a size of their own."""
    yield from (each for each in settings.families.values() if isinstance(each, GeneratorConfig))


def _offload_of(config: WeightsConfig) -> str:
    return config.offload if isinstance(config, DiffusionConfig) else "none"


def _count_numbers(file: Path) -> int:
    from safetensors import safe_open

    with safe_open(file, "numpy") as tensors:
        return sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
