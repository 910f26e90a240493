"""`submit` and `watch` of the Python API; the example notebook tests `run`."""

import subprocess
import sys

import pytest
from sqlalchemy import select

import chatgenimage
from chatgenimage import submit, watch
from chatgenimage.db.errors import RowNotFound
from chatgenimage.db.models import Label, Run
from chatgenimage.db.states import RunState
from chatgenimage.factory.errors import BadLabels, NoDatabase, SettingsError
from tests.factory.answers import refused


@pytest.mark.processes
def test_importing_the_package_loads_no_library():
    script = (
        "import sys, chatgenimage; "
        "print(*{'celery', 'numpy', 'pydantic', 'rich', 'sqlalchemy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == ""


def test_the_package_lists_what_it_offers():
    assert set(chatgenimage.__all__) <= set(dir(chatgenimage))
    assert all(callable(getattr(chatgenimage, name)) for name in chatgenimage.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sumbit'"):
        chatgenimage.sumbit  # noqa: B018  # the access is the test


def test_submit_writes_the_rows_and_finds_an_unfinished_run(place):
    def ask():
        return submit(
            ["dog", "Dog", "house"], per_label=3, mode="object", seed=7, data_dir=place.data_dir
        )

    first, again = ask(), ask()
    assert (first.labels, first.images, first.resumed) == (2, 6, False)
    assert [dropped.label for dropped in first.dropped] == ["Dog"]
    assert (again.run_id, again.resumed) == (first.run_id, True)
    with place.sessions() as session:
        labels = session.scalars(select(Label).order_by(Label.id)).all()
        assert [(label.name, label.per_label, label.mode) for label in labels] == [
            ("dog", 3, "object"),
            ("house", 3, "object"),
        ]


def test_submit_reads_files(place, tmp_path):
    (tmp_path / "labels.csv").write_text("label,per_label\ndog,2\n")
    assert submit(files=tmp_path / "labels.csv", data_dir=place.data_dir).images == 2


@pytest.mark.parametrize(
    ("words", "keywords", "kind"),
    [
        (("zebra",), {}, BadLabels),
        ((), {}, BadLabels),
        (("dog",), {"per_label": 0}, SettingsError),
        (("dog",), {"profile": "mikro"}, SettingsError),
    ],
)
def test_an_error_has_the_message_of_the_command(factory, place, words, keywords, kind):
    options = [f"--{key.replace('_', '-')}={value}" for key, value in keywords.items()]
    with pytest.raises(kind) as found:
        submit(words, **keywords, data_dir=place.data_dir)
    assert str(found.value) == refused(factory("submit", *words, *options)).strip()


def test_an_error_names_commands_with_the_place_of_the_call(tmp_path):
    with pytest.raises(NoDatabase, match=rf"`factory run dog house --data-dir {tmp_path}`"):
        watch(data_dir=tmp_path)


def test_watch_returns_the_last_snapshot_of_a_run(filled_place, capsys):
    with filled_place.sessions.begin() as session:
        session.get_one(Run, 1).state = RunState.DONE
    last = watch(1, data_dir=filled_place.data_dir)
    assert (last.state, last.accepted, last.rejected) == (RunState.DONE, 6, 2)
    assert repr(last) == (
        "RunSnapshot(run_id=1, state='done', candidates=8, accepted=6, rejected=2, given up=0)"
    )
    assert "8 candidates" in capsys.readouterr().err
    assert watch(show=False, data_dir=filled_place.data_dir).made == 8
    with pytest.raises(RowNotFound, match="no run 7; the latest is 1"):
        watch(7, data_dir=filled_place.data_dir)


def test_watch_looks_once_if_it_is_not_to_wait(filled_place, capsys):
    snapshot = watch(wait=False, data_dir=filled_place.data_dir)
    assert (snapshot.state, snapshot.is_over) == (RunState.ACTIVE, False)
    assert capsys.readouterr().err == ""
