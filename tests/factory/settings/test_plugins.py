"""Plug-ins in profiles: versions are needed as recorded, and thresholds need a rule."""

from importlib.metadata import version

import pytest

from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile, settings_from_frozen


def test_a_profile_needs_the_packages_that_it_records():
    installed = {"numpy": version("numpy")}
    assert load_settings("micro", plugins=installed).plugins == installed


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("no-such-package", "needs the package no-such-package 0.0, and none is installed"),
        ("numpy", rf"needs the package numpy 0.0, and {version('numpy')} is installed"),
    ],
)
def test_another_version_or_none_is_refused(package, message):
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings("micro", plugins={package: "0.0"})
    assert f"pip install '{package}==0.0'" in str(refused.value)


def test_a_threshold_without_a_rule_is_refused():
    with pytest.raises(SettingsError, match=r"of_plugins\.sharpness: no installed package offers"):
        load_settings("micro", thresholds={"of_plugins": {"sharpness": 1.0}})


def test_a_run_without_plug_ins_is_stored_as_before():
    frozen = dump_profile(load_settings("micro"))
    assert "plugins" not in frozen
    assert "of_plugins" not in frozen["thresholds"]
    assert settings_from_frozen(frozen).plugins == {}
