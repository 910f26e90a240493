"""Settings: configs/<profile>.yaml < FACTORY_* environment < arguments.

Only this module reads the environment. Nested keys are written with two underscores:
`FACTORY_CHAIN__PER_LABEL=4`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as UnreadableValue,
)

from chatgenimage.db.addresses import without_secrets
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.box_thresholds import find_unreachable
from chatgenimage.factory.settings.merging import given, merge, read_yaml
from chatgenimage.factory.settings.plugins import find_misfit, refuse_broken_plugins
from chatgenimage.factory.settings.profiles import find_profile
from chatgenimage.factory.settings.roles import DEFAULT_ROLES, with_optional
from chatgenimage.factory.settings.validation_errors import SettingSource, complain, nearest
from chatgenimage.tasks.options import ChainOptions, DeliveryOptions
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.workers.families import AnyFamilyConfig

DEFAULT_PROFILE = "micro"
ENV_PREFIX = "FACTORY_"
ENV_PROFILE = "FACTORY_PROFILE"
ENV_BROKER = "REDIS_URL"
REDIS_SCHEMES = ("redis://", "rediss://", "redis+socket://")
AMQP_SCHEMES = ("amqp://", "amqps://")
OTHER_NAMES = {"broker_url": ENV_BROKER, "flower_basic_auth": "FLOWER_BASIC_AUTH"}
"""Usual environment variables, read if the FACTORY_ variable of the key is not set."""
DATABASE_FILE = "factory.sqlite3"
IMAGES_FOLDER = "images"
PLACES = frozenset(
    {
        "data_dir",
        "database_url",
        "broker_url",
        "image_store_url",
        "image_store_endpoint",
        "gallery_token",
        "device",
        "cpu_threads",
        "device_memory_share",
        "flower_basic_auth",
        "metrics_token",
        "notify_command",
        "notify_webhook",
        "notify_timeout_s",
        "log_format",
    }
)
"""Keys about where and how a run is executed; a run's frozen profile does not contain them."""


class Settings(BaseSettings):
    """All settings; created by `load_settings`, which reads profile and environment."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    profile: str = Field(DEFAULT_PROFILE, min_length=1, description="Name of the profile.")
    data_dir: Path = Field(
        Path("data"), description="Folder of the database, the images and the logs."
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL; None: SQLite in the data folder."
    )
    broker_url: SecretStr | None = Field(
        None, description="URL of a Redis or RabbitMQ; None: REDIS_URL, else the embedded server."
    )
    image_store_url: str | None = Field(
        None, description="fsspec URL, e.g. s3://bucket/images; None: a folder in the data folder."
    )
    image_store_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^@?#]+$",
        description="URL of an S3 server that is not Amazon's; its keys: AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
    )
    gallery_token: SecretStr | None = Field(
        None,
        description="Token that opens the gallery in a browser; None: see `factory gallery`.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="Device on which the models run.",
    )
    cpu_threads: int | None = Field(
        None, ge=1, description="Threads of one forward pass on the CPU; None: PyTorch decides."
    )
    device_memory_share: float = Field(
        1.0, gt=0, le=1, description="Largest share of a CUDA device's memory that one worker uses."
    )
    flower_basic_auth: SecretStr | None = Field(
        None, description="user:password of `factory flower`; None: a new one at each start."
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token that `factory metrics` requires; None: loopback only.",
    )
    notify_command: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Command, as a list of words, that is run when a run ends; it reads JSON from "
        "standard input.",
    )
    notify_webhook: SecretStr | None = Field(
        None, description="URL to which the same JSON is posted; kept secret."
    )
    notify_timeout_s: float = Field(60.0, gt=0, description="Time limit of one attempt to notify.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Format of logs; auto: columns on a terminal, JSON elsewhere."
    )
    families: dict[str, AnyFamilyConfig] = Field(description="The models and their options.")
    roles: dict[str, tuple[str, ...]] = Field(
        default_factory=lambda: dict(DEFAULT_ROLES),
        description="Kinds of workers, and the families that each of them loads.",
    )
    plugins: dict[str, str] = Field(
        default_factory=dict,
        exclude_if=lambda versions: not versions,
        description="Packages of plug-ins with their versions; a run records those it uses.",
    )
    chain: ChainOptions = ChainOptions()
    thresholds: FilterThresholds = FilterThresholds()
    delivery: DeliveryOptions = DeliveryOptions()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the arguments: a frozen profile must not change with the environment."""
        return (init_settings,)

    @field_validator("broker_url")
    @classmethod
    def _is_known(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = (*REDIS_SCHEMES, *AMQP_SCHEMES)
        if url and not url.get_secret_value().startswith(schemes):
            raise ValueError(f"the broker must be Redis or RabbitMQ: {', '.join(schemes)}")
        if url and not _is_readable(url.get_secret_value()):
            raise ValueError(
                "expected redis://:PASSWORD@host:port/0 with every /, ?, # and @ of the password "
                "escaped (%2F, %3F, %23, %40), and no password in the query"
            )
        return url

    @field_validator("image_store_url")
    @classmethod
    def _holds_no_secret(cls, url: str | None) -> str | None:
        if url and without_secrets(url) != url:  # a path of the store is printed in errors
            raise ValueError("expected s3://bucket/folder, its keys in the environment")
        return url

    @field_validator("notify_webhook")
    @classmethod
    def _is_web(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("expected a URL that starts with https:// or http://")
        return url

    @field_validator("flower_basic_auth")
    @classmethod
    def _is_user_and_password(cls, login: SecretStr | None) -> SecretStr | None:
        user, _, password = login.get_secret_value().partition(":") if login else ("-", ":", "-")
        if not (user and password):
            raise ValueError("expected user:password, both not empty")
        return login

    @field_validator("plugins")
    @classmethod
    def _are_installed(cls, versions: dict[str, str]) -> dict[str, str]:
        if misfit := find_misfit(versions):
            raise ValueError(misfit)
        return versions

    @model_validator(mode="before")
    @classmethod
    def _with_optional_families(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, **with_optional(values)}

    @model_validator(mode="after")
    def _has_what_it_names(self) -> Self:
        for role, keys in self.roles.items():
            for key in keys:
                if key not in self.families:
                    known = ", ".join(sorted(self.families)) or "none"
                    raise ValueError(f"role {role!r} loads {key!r}; known families: {known}")
        if self.delivery.heartbeat_s * 3 > self.delivery.lease_s:
            raise ValueError("delivery.lease_s must be at least three times delivery.heartbeat_s")
        if self.delivery.visibility_timeout_s <= self.delivery.time_limit_s:
            raise ValueError("delivery.visibility_timeout_s must exceed delivery.time_limit_s")
        if problem := find_unreachable(self.chain.box_thresholds, self.families.values()):
            raise ValueError(problem)
        return self

    def resolved_database_url(self) -> str:
        """Return the database URL; it may contain a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / DATABASE_FILE}"

    def resolved_image_store_url(self) -> str:
        """Return the URL or path of the image store."""
        return self.image_store_url or str(self.data_dir.absolute() / IMAGES_FOLDER)


def load_settings(profile: str | Path | None = None, **overrides: Any) -> Settings:  # noqa: ANN401 (any field)
    """Return the settings of a profile.

    Args:
        profile: A name in configs/, or a path; None: FACTORY_PROFILE, else "micro".
        overrides: Fields by name, nested ones as mappings; None means "not given".

    Raises:
        ProfileNotFound: If there is no such profile.
        SettingsError: If a key is unknown or a value out of range; one line that names the key.
        PluginBroken: If a family or a filter rule of another package cannot be used.
    """
    path = find_profile(profile or os.environ.get(ENV_PROFILE) or DEFAULT_PROFILE)
    sources = [
        SettingSource(str(path), {"profile": path.stem, **read_yaml(path)}),
        SettingSource("the environment", _read_environment(), env_prefix=ENV_PREFIX),
        SettingSource("the arguments", given(overrides), has_options=True),
    ]
    merged: dict[str, Any] = {}
    for source in sources:
        merged = merge(merged, source.values)
    for key, name in OTHER_NAMES.items():
        if merged.get(key) is None and os.environ.get(name):
            sources.append(SettingSource(name, {key: os.environ[name]}))
            merged = merge(merged, sources[-1].values)
    return validated(merged, sources)


def _is_readable(url: str) -> bool:
    """Return whether the broker's client can read the URL."""
    parts = urlsplit(url)
    try:
        is_number = parts.port is None or parts.port > 0
    except ValueError:  # a password with a slash ends the host early
        return False
    return is_number and not {"password", "username"} & set(parse_qs(parts.query))


def validated(merged: Mapping[str, Any], sources: Sequence[SettingSource]) -> Settings:
    """Return the settings for merged values.

    Raises:
        SettingsError: If a key is unknown or a value out of range; names the source.
        PluginBroken: If a family or a filter rule of another package cannot be used.
    """
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise SettingsError(complain(error, sources, Settings)) from None
    refuse_broken_plugins(settings.thresholds.of_plugins)
    return settings


def _read_environment() -> dict[str, Any]:
    fields = set(Settings.model_fields)
    for name in os.environ:
        key = name.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if name.startswith(ENV_PREFIX) and key not in fields:
            known = nearest(key, fields)
            raise SettingsError(
                f"{name} in the environment is not a known setting. Unset it, or set one of: "
                f"{', '.join(ENV_PREFIX + field.upper() for field in known)}."
            )
    try:
        values = EnvSettingsSource(Settings)()
    except UnreadableValue as error:
        raise SettingsError(f'{error}: expected JSON, e.g. \'["a", "b"]\'.') from None
    return {key: value for key, value in values.items() if key != "profile"}
