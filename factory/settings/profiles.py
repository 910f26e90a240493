"""Profiles: the YAML files that name models and settings."""

from pathlib import Path

from chatgenimage.factory.errors import ProfileNotFound

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


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
