import subprocess
import sys

import pytest
import yaml

from chatgenimage.factory.errors import ProfileNotFound, SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.profiles import CONFIGS
from chatgenimage.factory.settings.run_profile import dump_profile, settings_from_frozen
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.server_config import OpenAiConfig


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch):
    for name in ("REDIS_URL", "FACTORY_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def profile(tmp_path):
    def write(**changes):
        values = yaml.safe_load((CONFIGS / "micro.yaml").read_text(encoding="utf-8"))
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
        return path

    return write


def complaint(*args, **kwargs):
    with pytest.raises(SettingsError) as caught:
        load_settings(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_that_ships_loads_and_comes_back_from_its_frozen_form(path):
    settings = load_settings(path.stem)
    assert settings.profile == path.stem
    places = {"device": settings.device, "cpu_threads": settings.cpu_threads}
    assert settings_from_frozen(dump_profile(settings), **places) == settings


def test_the_default_profile_is_micro_and_needs_no_key():
    settings = load_settings()
    assert settings.profile == "micro"
    assert isinstance(settings.families["language"], RulesConfig)


def test_the_paper_s_profile_states_the_paper_s_numbers():
    settings = load_settings("sd15")
    diffusion, language = settings.families["diffusion"], settings.families["language"]
    assert (diffusion.size_wh, diffusion.num_inference_steps) == ((512, 512), 50)
    assert diffusion.guidance_scale == 7.5
    assert (language.model, language.temperature) == ("gpt-6-luna", 0)


def test_arguments_win_over_environment_and_environment_over_the_file(profile, monkeypatch):
    path = profile(chain={"per_label": 1, "rounds": 3, "batch_size": 7})
    monkeypatch.setenv("FACTORY_CHAIN__PER_LABEL", "2")
    monkeypatch.setenv("FACTORY_CHAIN__ROUNDS", "2")
    chain = load_settings(path, chain={"per_label": 4, "mode": None}).chain
    assert (chain.per_label, chain.rounds, chain.batch_size) == (4, 2, 7)


def test_a_change_of_family_leaves_the_other_family_s_keys_behind(monkeypatch):
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__FAMILY", "openai")
    monkeypatch.setenv("FACTORY_FAMILIES__LANGUAGE__BASE_URL", "http://localhost:1/v1")
    family = load_settings("micro").families["language"]
    assert isinstance(family, OpenAiConfig)
    assert family.base_url == "http://localhost:1/v1"


def test_redis_url_is_used_only_where_nothing_else_names_a_broker(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://from-environment/0")
    assert load_settings().broker_url.get_secret_value() == "redis://from-environment/0"
    named = load_settings(broker_url="redis://named/1")
    assert named.broker_url.get_secret_value() == "redis://named/1"


def test_without_urls_everything_is_in_the_data_folder(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    assert settings.resolved_database_url() == f"sqlite:///{tmp_path}/factory.sqlite3"
    assert settings.resolved_image_store_url() == f"{tmp_path}/images"
    assert settings.broker_url is None


def test_a_frozen_profile_contains_no_secrets_and_no_paths():
    settings = load_settings(
        "sd15",
        broker_url="redis://:hush@host/0",
        database_url="postgresql://me:hush@host/db",
        families={"language": {"api_key": "sk-hush"}},
    )
    frozen = dump_profile(settings)
    assert "hush" not in repr(frozen)
    assert "hush" not in repr(settings)
    assert not {"data_dir", "device", "broker_url"} & set(frozen)


def test_a_wrong_option_is_named_as_the_option_and_a_variable_as_the_variable(monkeypatch):
    with pytest.raises(SettingsError, match=r"^the arguments: 'per_label' is wrong: .* to 1"):
        load_settings("micro", chain={"per_label": 0})
    monkeypatch.setenv("FACTORY_CHAIN__PER_LABEL", "0")
    with pytest.raises(SettingsError, match="the environment: 'FACTORY_CHAIN__PER_LABEL' is wrong"):
        load_settings("micro")


def test_a_frozen_profile_ignores_the_environment(monkeypatch):
    frozen = dump_profile(load_settings("micro"))
    monkeypatch.setenv("FACTORY_CHAIN__PER_LABEL", "99")
    monkeypatch.setenv("FACTORY_DEVICE", "mps")
    again = settings_from_frozen(frozen, device="cpu")
    assert (again.chain.per_label, again.device) == (frozen["chain"]["per_label"], "cpu")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        pytest.param({"deviec": "cpu"}, ["mine.yaml", "'deviec'", "device"], id="top level"),
        pytest.param(
            {"chain": {"per_lable": 1}}, ["'chain.per_lable'", "per_label"], id="in a section"
        ),
        pytest.param(
            {"families": {"language": {"family": "rules", "checkpont": "x"}}, "roles": {}},
            ["'families.language.checkpont'", "checkpoint"],
            id="in a family",
        ),
        pytest.param(
            {"families": {"language": {"family": "gpt"}}},
            ["families.language", "openai", "rules"],
            id="an unknown family",
        ),
        pytest.param({"chain": {"per_label": 0}}, ["'chain.per_label'", "1"], id="out of range"),
        pytest.param({"roles": {"language": ["llm"]}}, ["'llm'", "language"], id="a role's family"),
        pytest.param(
            {"chain": {"box_thresholds": {"dog": 0.2}}},
            ["'dog' is 0.2", "box_threshold of 0.3"],
            id="a threshold below the detector's",
        ),
        pytest.param({"delivery": {"heartbeat_s": 80}}, ["lease_s", "heartbeat_s"], id="heartbeat"),
    ],
)
def test_a_wrong_profile_is_reported_in_one_line(profile, changes, parts):
    text = complaint(profile(**changes))
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("chain: [1", "line 1", id="broken YAML"),
        pytest.param("- a list", "mapping", id="a list"),
        pytest.param("", "mapping", id="empty"),
        pytest.param("device: cpu", "'families' is missing", id="nothing in it"),
    ],
)
def test_a_file_that_is_not_a_profile_is_reported_in_one_line(tmp_path, text, part):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    assert part in complaint(path)
    assert "broken.yaml" in complaint(path)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        pytest.param("FACTORY_DEVIEC", "cpu", "FACTORY_DEVICE", id="unknown field"),
        pytest.param("FACTORY_CHAIN__PER_LABLE", "1", "per_label", id="unknown nested field"),
        pytest.param("FACTORY_CHAIN__PER_LABEL", "many", "FACTORY_CHAIN__PER_LABEL", id="no int"),
        pytest.param("FACTORY_CHAIN__CLASS_LIST", "a,b", "JSON", id="no JSON"),
        pytest.param("FACTORY_DELIVERY__LEASE_S", "inf", "a finite number", id="no end"),
        pytest.param(
            "FACTORY_FAMILIES__DIFFUSION__GUIDANCE_SCALE", "inf", "a finite number", id="no bound"
        ),
    ],
)
def test_a_wrong_environment_variable_is_reported_in_one_line(monkeypatch, name, value, part):
    monkeypatch.setenv(name, value)
    assert part in complaint("micro")


def test_a_missing_profile_names_those_that_exist():
    with pytest.raises(ProfileNotFound, match=r"micro, .*sd15"):
        load_settings("nowhere")


def test_a_wrong_secret_is_not_repeated():
    assert "hush" not in complaint("micro", broker_url="sqs://me:hush@host")


@pytest.mark.processes
def test_reading_settings_loads_no_heavy_library():
    code = (
        "import sys, chatgenimage.factory.settings.model as s; s.load_settings('micro'); "
        "print([m for m in ('torch', 'sqlalchemy', 'celery', 'openai') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"[]"
