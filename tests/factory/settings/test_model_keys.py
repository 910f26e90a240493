"""Keys of models and requests: what changes an image is in them, prices and patience are not."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import select, update

from chatgenimage.db.models import Run
from chatgenimage.db.session import MIGRATIONS, engine_of, upgrade
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile, list_keyed_profiles, models_key
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import request_key, submit
from tests import rows

REQUESTS = read_labels(["dog"]).requests
NO_RESULT = [
    ("language", "prompt_price", 7.5),
    ("language", "completion_price", 7.5),
    ("language", "timeout_s", 7.5),
    ("language", "max_retries", 7),
    ("language", "max_concurrency", 7),
    ("diffusion", "price_per_image", 7.5),
]


def api(**changed):
    """Return the settings of the profile `api` with changed options: family_option=value."""
    families = {}
    for name, value in changed.items():
        family, _, option = name.partition("_")
        families.setdefault(family, {})[option] = value
    return load_settings("api", families=families)


def submit_dog(place, settings):
    with place.sessions.begin() as session:
        return submit(session, REQUESTS, settings, seed=None)


@pytest.mark.parametrize(("family", "option", "value"), NO_RESULT)
def test_prices_and_patience_are_in_no_key(place, family, option, value):
    changed = api(**{f"{family}_{option}": value})
    assert models_key(changed) == models_key(api())
    first = submit_dog(place, api())
    again = submit_dog(place, changed)
    assert (again.run_id, again.resumed) == (first.run_id, True)


@pytest.mark.parametrize(
    ("option", "value"),
    [("model", "another"), ("temperature", 1.0), ("base_url", "http://elsewhere/v1")],
)
def test_what_may_change_an_answer_is_in_the_key(option, value):
    assert models_key(api(**{f"language_{option}": value})) != models_key(api())


def test_a_run_stores_the_prices_that_it_began_with():
    frozen = dump_profile(api(language_prompt_price=7.5))
    assert frozen["families"]["language"]["prompt_price"] == 7.5


def test_a_request_of_version_0_2_finds_its_unfinished_run(place):
    settings = api(language_prompt_price=7.5)
    first = submit_dog(place, settings)
    _, old_profile = list_keyed_profiles(settings)
    with place.sessions.begin() as session:
        old_key = request_key(REQUESTS, old_profile, None)
        session.execute(update(Run).values(request_key=old_key))
    again = submit_dog(place, settings)
    assert (again.run_id, again.resumed) == (first.run_id, True)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_migration_makes_the_key_of_earlier_runs_anew(request, kind):
    place, settings = request.getfixturevalue(f"{kind}_place"), api(language_prompt_price=7.5)
    engine = engine_of(place.sessions)
    with place.sessions.begin() as session:
        rows.add_run(session, profile=dump_profile(settings), models_key=models_key(settings))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0024")
        [old_key] = connection.scalars(select(Run.models_key))
    assert old_key != models_key(settings)
    upgrade(engine.url.render_as_string(hide_password=False))
    with place.sessions() as session:
        assert session.scalars(select(Run.models_key)).all() == [models_key(settings)]
