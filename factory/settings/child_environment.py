"""Environment variables that give a child process the settings of its parent."""

import os
from pathlib import Path

from chatgenimage.factory.settings.model import DEFAULT_PROFILE, ENV_PREFIX, ENV_PROFILE, Settings
from chatgenimage.factory.settings.profiles import find_profile


def environment_for_child(
    settings: Settings, profile: str | Path | None, broker_url: str
) -> dict[str, str]:
    """Return environment variables that give a child process the same settings.

    Variables rather than arguments, because `ps` shows arguments to every user.
    """
    path = find_profile(profile or os.environ.get(ENV_PROFILE) or DEFAULT_PROFILE)
    places = {
        ENV_PROFILE: str(path),
        f"{ENV_PREFIX}DATA_DIR": str(settings.data_dir.absolute()),
        f"{ENV_PREFIX}DATABASE_URL": settings.resolved_database_url(),
        f"{ENV_PREFIX}DEVICE": settings.device,
        f"{ENV_PREFIX}BROKER_URL": broker_url,
    }
    if settings.image_store_url is not None:
        places[f"{ENV_PREFIX}IMAGE_STORE_URL"] = settings.image_store_url
    if settings.image_store_endpoint is not None:
        places[f"{ENV_PREFIX}IMAGE_STORE_ENDPOINT"] = settings.image_store_endpoint
    return dict(os.environ) | places
