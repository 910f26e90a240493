"""Profiles: the YAML files that name models and settings."""

from pathlib import Path

from chatgenimage.factory.commands import given_places
from chatgenimage.factory.errors import ProfileNotFound

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def name_profile(name: str) -> tuple[str, ...]:
    """Return the option of a printed command for the profile of a run.

    It is empty if the running command was given a profile, which is then added anyway, and if the
    profile came from a file elsewhere: a run stores only its name.
    """
    if given_places().profile is not None or not (CONFIGS / f"{name}.yaml").is_file():
        return ()
    return ("--profile", name)


def find_profile(profile: str | Path) -> Path:
    """Return the file of a profile, given by name or path."""
    path = Path(profile).expanduser()
    if path.suffix not in {".yaml", ".yml"} and path.name == str(profile):
        path = CONFIGS / f"{profile}.yaml"
    if path.is_file():
        return path
    known = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.yaml"))) or "none"
    raise ProfileNotFound(
        f"no profile at {path}; {CONFIGS} has: {known}. Name one of them, or give a path."
    )
