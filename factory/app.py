"""Composition root: builds the Celery app and a worker's resources from the settings."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from celery import Celery
from kombu import Queue

from chatgenimage.db.session import connect
from chatgenimage.db.states import PAID_QUEUE
from chatgenimage.factory.broker.broker import queue_arguments, transport_options
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.image_store import open_images
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.settings.run_profile import models_key
from chatgenimage.tasks.chain import QUEUE_NAMES, QUEUES, plan_chain
from chatgenimage.tasks.resources import KEYS, Resources
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.device import limit_memory, limit_threads, pick_device, refuse_absent
from chatgenimage.workers.interfaces import Family, ImageTextEncoder, ObjectFiller, VisualJudge
from chatgenimage.workers.llm.server import require_model
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.server_config import ServerConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights_config import WeightsConfig

log = structlog.get_logger()

ALL_ROLES = "all"
TASK_MODULES = tuple(
    f"chatgenimage.tasks.{name}"
    for name in ("brainstorm", "generate", "label", "edit", "fill", "filter")
)
WORKER_MODULE = "chatgenimage.factory.processes.worker_hooks"
SETTINGS_KEY = "factory_settings"
ROLE_KEY = "factory_role"
START_UP_S = 600
SPARE_S = 30
CELERY_OPTIONS: Mapping[str, Any] = {
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,
    "task_acks_on_failure_or_timeout": True,
    "task_publish_retry": False,
    "task_create_missing_queues": False,
    "task_default_queue": QUEUE_NAMES[0],
    "task_routes": {name: {"queue": queue} for name, queue in QUEUES.items()},
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_pool_start_method": "spawn",  # a forked child cannot use CUDA
    "worker_proc_alive_timeout": START_UP_S,  # models take longer to load than the default 4 s
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_deduplicate_successful_tasks": False,
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": True,
    "task_send_sent_event": True,
    "event_queue_expires": 60,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "enable_utc": True,
    "timezone": "UTC",
}
"""Options of Celery that are the same for every profile."""


def make_celery(settings: Settings, broker_url: str) -> Celery:
    """Return the Celery app of these settings.

    The database owns retries, delays, priorities and cancellation; a message only says which batch
    to look at. So there is no result backend, and a message that arrives twice does no harm.
    """
    app = Celery("factory", broker=broker_url, include=[*TASK_MODULES, WORKER_MODULE])
    delivery = settings.delivery
    app.conf.update(CELERY_OPTIONS)
    app.conf.update(
        task_queues=[
            Queue(name, routing_key=name, queue_arguments=queue_arguments(broker_url))
            for name in QUEUE_NAMES
        ],
        task_time_limit=delivery.time_limit_s,
        task_soft_time_limit=delivery.time_limit_s - min(SPARE_S, delivery.time_limit_s // 4),
        broker_transport_options=transport_options(
            broker_url, visibility_timeout_s=delivery.visibility_timeout_s
        ),
        **{SETTINGS_KEY: settings},
    )
    return app


def roles_named(settings: Settings, role: str) -> list[str]:
    """Return the roles in `role`: one name, several names with commas, or "all".

    Raises:
        SettingsError: If the profile has no such role.
    """
    if role == ALL_ROLES:
        return list(settings.roles)
    names = list(dict.fromkeys(role.split(",")))
    for name in names:
        if name not in settings.roles:
            known = ", ".join([*settings.roles, ALL_ROLES])
            raise SettingsError(
                f"profile {settings.profile!r} has no role {name!r}; it has: {known}."
            )
    return names


def fetch_checkpoints(settings: Settings, roles: Sequence[str]) -> None:
    """Download the checkpoints that the roles load and this machine lacks; load nothing.

    Raises:
        CheckpointNotFound: If a checkpoint is missing and cannot be downloaded.
    """
    for key in family_keys(settings, roles):
        config = settings.families[key]
        if isinstance(config, WeightsConfig):
            for source in local_files.sources_of(config):
                local_files.fetch_source(source)


def assemble(settings: Settings, roles: Sequence[str], owner: str) -> Resources:
    """Load the models of these roles and return them with everything else a worker needs.

    Raises:
        SettingsError: If nothing can fill, and the profile's runs have a step that fills.
        WorkerError: If a model does not load.
    """
    device = "cpu" if needs_no_device(settings, roles) else _prepare_device(settings)
    url, patience_s = settings.resolved_database_url(), settings.delivery.lease_s
    sessions = connect(url, durable=False, patience_s=patience_s)  # durable: docs/adr/0010
    images, keys = open_images(settings), family_keys(settings, roles)
    memory = DatabaseLlmCache(sessions, images)
    loaded = {key: _load(settings, key, device, memory) for key in keys}
    _refuse_no_filler(settings, roles, loaded)
    return Resources(
        sessions=sessions,
        images=images,
        families=list(loaded.values()),
        keys=keys,
        paid_queues=paid_queues(settings),
        delivery=settings.delivery,
        owner=owner,
        models_key=models_key(settings),
    )


def _refuse_no_filler(
    settings: Settings, roles: Sequence[str], loaded: Mapping[str, Family]
) -> None:
    """Raise SettingsError at a worker's start, instead of in its first step that fills."""
    role, key = QUEUES["fill"], KEYS[ObjectFiller]
    if role not in roles:
        return
    steps = {step.name for step in plan_chain(settings.chain, settings.chain.mode)}
    if "fill" in steps and not any(isinstance(one, ObjectFiller) for one in loaded.values()):
        raise SettingsError(
            f"no family of the role {role!r} can fill. Add {key!r} (family: inpaint) to "
            "`families`, or set `chain.mode: object`, which fills nothing."
        )


def refuse_unable(key: str, family: Family) -> None:
    """Check that a family can do what its key is for; other keys have a family that replaces it.

    Raises:
        SettingsError: If a judge answers no questions, or a filler fills nothing: without this,
            nothing would be judged, or another model would fill.
    """
    name = family.identity.family
    if key == KEYS[ObjectFiller] and not isinstance(family, ObjectFiller):
        raise SettingsError(
            f"the family {name} cannot fill; give `families.{key}` an inpainting checkpoint "
            "(family: inpaint)."
        )
    if key == KEYS[VisualJudge] and not isinstance(family, VisualJudge):
        raise SettingsError(
            f"the family {name} cannot judge; give `families.{key}` a model that answers questions "
            "about images (family: vision_language or openai_vision), or delete it."
        )


def _prepare_device(settings: Settings) -> str:
    device = pick_device(settings.device)
    refuse_absent(device)
    if settings.cpu_threads is not None:
        limit_threads(settings.cpu_threads)
    if settings.device_memory_share < 1.0:
        limit_memory(settings.device_memory_share, device)
    return device


def needs_no_device(settings: Settings, roles: Sequence[str]) -> bool:
    """Return whether the roles load no weights, but models on servers: no device needed."""
    configs = [settings.families[key] for key in family_keys(settings, roles)]
    return all(isinstance(config, RulesConfig | ServerConfig) for config in configs)


def asks_servers(settings: Settings, role: str) -> bool:
    """Return whether all models of a role are on servers; the offline rule book is none."""
    configs = [settings.families[key] for key in settings.roles[role]]
    return bool(configs) and all(isinstance(config, ServerConfig) for config in configs)


def family_keys(settings: Settings, roles: Sequence[str]) -> list[str]:
    """Return the keys of the families that these roles load, each once."""
    return list(dict.fromkeys(key for role in roles for key in settings.roles[role]))


def paid_queues(settings: Settings) -> frozenset[str]:
    """Return the queues of the steps whose items may cost money."""
    asks = {
        role
        for role, keys in settings.roles.items()
        if any(isinstance(settings.families[key], ServerConfig) for key in keys)
    }
    return frozenset({PAID_QUEUE, *asks})


def _load(settings: Settings, key: str, device: str, memory: DatabaseLlmCache) -> Family:
    """Return a loaded family of a profile; the log says where it is and how long it took."""
    config = settings.families[key]
    started = time.perf_counter()
    if isinstance(config, ServerConfig):
        has_model = require_model(config)
        log.info("model_on_server", key=key, model=config.model, is_listed=has_model)
    family = load_family(config, device, memory)
    refuse_unable(key, family)
    duration_s = round(time.perf_counter() - started, 2)
    log.info("family_loaded", family=config.family, key=key, device=device, duration_s=duration_s)
    if isinstance(family, ImageTextEncoder):
        warn_if_uncalibrated(settings, key, family)
    return family


def warn_if_uncalibrated(settings: Settings, key: str, encoder: ImageTextEncoder) -> None:
    """Log a warning if a model unlike CLIP is judged by CLIP's default threshold.

    Cosines of a model that was trained with a sigmoid (SigLIP) are far lower than CLIP's.
    """
    least = settings.thresholds.clip_similarity_min
    if encoder.logit_scale.bias is not None and least == FilterThresholds().clip_similarity_min:
        log.warning(
            "similarity_uncalibrated",
            key=key,
            clip_similarity_min=least,
            advice="The default of thresholds.clip_similarity_min is for CLIP, and this model's "
            "cosines are lower: most images would be rejected. Measure it with `factory models "
            "calibrate PROFILE --pairs FOLDER` and set it in the profile; "
            "duplicate_similarity_max belongs to the model too.",
        )
