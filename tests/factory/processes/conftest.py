"""Settings of runs whose steps only sleep."""

import pytest
import yaml

from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS


@pytest.fixture
def settings(request, place, tmp_path, monkeypatch):
    """The micro profile without rounds; tests may set other delivery options."""
    for name in ("REDIS_URL", "FACTORY_PROFILE", "FACTORY_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
    values["chain"] |= {"rounds": 0, "per_label": 4}
    profile = tmp_path / "impatient.yaml"
    values["delivery"] = {"stale_s": 1, **getattr(request, "param", {})}
    profile.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(profile, data_dir=place.data_dir)
