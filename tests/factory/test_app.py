import celery
import pytest

from chatgenimage.factory.app import assemble, make_celery, needs_no_device, roles_named
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks.chain import QUEUES

URL = "redis+socket:///tmp/nowhere.sock?virtual_host=0"


def test_no_package_has_silently_changed_the_version_of_celery():
    assert celery.__version__ == "5.7.0"


def test_messages_are_json_and_acknowledged_late():
    conf = make_celery(load_settings("micro"), URL).conf
    assert conf.accept_content == ["json"]
    assert conf.task_acks_late
    assert conf.result_backend is None
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss


def test_every_task_has_the_queue_of_its_role():
    app = make_celery(load_settings("micro"), URL)
    app.loader.import_default_modules()
    assert set(QUEUES) <= set(app.tasks)
    assert {queue.name for queue in app.conf.task_queues} == set(QUEUES.values())


def test_a_role_that_the_profile_lacks_is_refused_with_those_it_has():
    settings = load_settings("micro")
    assert roles_named(settings, "all") == list(settings.roles)
    assert roles_named(settings, "editing") == ["editing"]
    assert roles_named(settings, "labeling,scoring,labeling") == ["labeling", "scoring"]
    with pytest.raises(SettingsError, match=r"no role 'painting'.*diffusion"):
        roles_named(settings, "painting")


@pytest.mark.models
def test_a_judge_that_answers_no_questions_is_refused_at_the_start(tmp_path):
    micro = load_settings("micro").families
    settings = load_settings(
        "micro", data_dir=tmp_path, families={"judging": micro["captioning"].model_dump()}
    )
    with pytest.raises(SettingsError, match=r"blip2 cannot judge; give `families\.judging`"):
        assemble(settings, ["scoring"], "test@here#1")


def test_only_the_language_role_does_without_a_device():
    settings = load_settings("micro")
    assert [role for role in settings.roles if needs_no_device(settings, [role])] == ["language"]
    assert not needs_no_device(settings, list(settings.roles))
