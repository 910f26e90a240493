import os

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select, text

from chatgenimage.db.models import Base, Batch, Candidate, Label, Run
from chatgenimage.db.session import engine_of
from chatgenimage.factory.errors import ImportRuns, NothingFound, SettingsError
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.image_import import RefusedFile, import_pictures, title_of
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import submit

COUNT = 11


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    """A migrated database of each kind, and an empty image store."""
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def settings(place):
    url = engine_of(place.sessions).url.render_as_string(hide_password=False)
    chain = {"source": "pictures", "rounds": 0, "class_list": ["dog", "house"], "batch_size": 4}
    return load_settings("micro", data_dir=place.data_dir, database_url=url, chain=chain)


@pytest.fixture
def folder(tmp_path):
    """Eleven different pictures."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for index in range(COUNT):
        save(folder / f"{index:02d}.png", index)
    return folder


def save(path, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(path)


def test_a_folder_becomes_a_run_that_waits_for_workers(place, settings, folder):
    done = import_pictures(place.sessions, settings, folder)
    assert (done.found, done.added, done.known, done.refused) == (COUNT, COUNT, 0, [])
    with place.sessions() as session:
        run = session.scalars(select(Run)).one()
        label = session.scalars(select(Label)).one()
        candidates = session.scalars(select(Candidate).order_by(Candidate.id)).all()
        sizes = session.scalars(select(Batch.size).order_by(Batch.index)).all()
    assert (run.state, run.pause_reason, label.name) == ("active", None, "dog, house")
    assert (list(sizes), label.per_label) == ([4, 4, 3], COUNT)
    assert [c.source_name for c in candidates] == [f"{index:02d}.png" for index in range(COUNT)]
    assert [c.key for c in candidates[:5]] == ["b0/i0", "b0/i1", "b0/i2", "b0/i3", "b1/i0"]
    assert {(c.origin, c.width_px, c.height_px) for c in candidates} == {("imported", 30, 20)}
    for candidate in candidates:
        with Image.open(folder / candidate.source_name) as picture:
            assert (place.images.get(candidate.sha256) == np.asarray(picture)).all()


def test_only_bad_files_and_copies_are_left_out(place, settings, folder):
    (folder / "00-bad.png").write_bytes(b"no picture")
    (folder / "copy.png").write_bytes((folder / "03.png").read_bytes())
    with Image.open(folder / "04.png") as picture:
        picture.save(folder / "copy.webp", lossless=True)
    (folder / "notes.txt").touch()
    done = import_pictures(place.sessions, settings, folder)
    assert (done.added, done.ignored) == (COUNT, {".txt": 1})
    assert done.refused == [
        RefusedFile("00-bad.png", "is not a heic, jpeg, jpg, png, webp picture"),
        RefusedFile("copy.png", "has the same pixels as 03.png"),
        RefusedFile("copy.webp", "has the same pixels as 04.png"),
    ]


def test_an_interrupted_import_continues_and_adds_new_pictures(place, settings, folder):
    def press_ctrl_c(outcomes, _):
        for number, outcome in enumerate(outcomes):
            if number == 6:
                raise KeyboardInterrupt
            yield outcome

    with pytest.raises(KeyboardInterrupt):
        import_pictures(place.sessions, settings, folder, press_ctrl_c)
    with place.sessions() as session:
        assert session.scalars(select(Run.state)).all() == ["paused"]
        assert session.scalar(select(func.count(Candidate.id))) == 4
    save(folder / "new.png", 99)
    done = import_pictures(place.sessions, settings, folder)
    assert (done.run_id, done.known, done.added) == (1, 4, COUNT + 1 - 4)
    again = import_pictures(place.sessions, settings, folder)
    assert (again.run_id, again.known, again.added) == (1, COUNT + 1, 0)
    with place.sessions() as session:
        assert session.scalars(select(Run.state)).all() == ["active"]
        keys = session.scalars(select(Candidate.key)).all()
        assert session.scalars(select(Label.per_label)).all() == [COUNT + 1]
    assert len(set(keys)) == COUNT + 1


def test_the_folder_s_path_is_stored_nowhere(place, settings, folder):
    (folder / os.fsdecode(b"\xff<b>.png")).write_bytes((folder / "00.png").read_bytes())
    (folder / "00.png").unlink()
    import_pictures(place.sessions, settings, folder)
    with place.sessions() as session:
        for table in Base.metadata.tables:
            rows = session.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608  # ours
            assert folder.name not in str(rows)
            assert str(folder.parent) not in str(rows)
        candidate = session.scalars(select(Candidate).order_by(Candidate.id.desc())).first()
    assert candidate.source_name == "\ufffd<b>.png"
    assert place.images.provenance(candidate.sha256) == {"origin": "imported"}
    assert [path for path in (place.data_dir / "images").rglob("*") if "<b>" in path.name] == []


def test_other_labels_make_another_run(place, settings, folder):
    import_pictures(place.sessions, settings, folder)
    chain = settings.chain.model_copy(update={"class_list": ("car",)})
    other = import_pictures(place.sessions, settings.model_copy(update={"chain": chain}), folder)
    assert (other.run_id, other.added) == (2, COUNT)


def test_the_factory_s_own_images_are_skipped_and_counted(place, folder, settings):
    inside = folder / "data"
    import_pictures(place.sessions, settings, folder)
    (inside / "images").mkdir(parents=True)
    save(inside / "run-1-contact-sheet.png", 98)
    own = settings.model_copy(update={"data_dir": inside})
    again = import_pictures(place.sessions, own, folder)
    assert (again.found, again.known, again.added, again.skipped) == (COUNT, COUNT, 0, {"data": 1})


def test_a_second_import_of_the_same_folder_says_so(place, settings, folder):
    def start_another(outcomes, _):
        with pytest.raises(ImportRuns, match=r"another .* is reading .*my pictures"):
            import_pictures(place.sessions, settings, folder)
        return outcomes

    done = import_pictures(place.sessions, settings, folder, start_another)
    assert (done.run_id, done.added) == (1, COUNT)
    assert import_pictures(place.sessions, settings, folder).run_id == 1


def test_a_remark_on_a_picture_is_in_the_result(place, settings, folder):
    with Image.open(folder / "03.png") as picture:
        picture.save(folder / "03.png", icc_profile=b"no profile")
    done = import_pictures(place.sessions, settings, folder)
    assert [(one.name, one.remark) for one in done.remarks] == [
        ("03.png", "its colour profile cannot be used; read as sRGB")
    ]
    assert done.added == COUNT


def test_without_usable_pictures_nothing_is_written(place, settings, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.png").touch()
    (folder / "b.png").touch()
    with pytest.raises(NothingFound, match=r"none of the 2 .*a\.png is empty, and 1 more"):
        import_pictures(place.sessions, settings, folder)
    with place.sessions() as session:
        assert session.scalars(select(Run)).all() == []


def test_a_run_of_labels_cannot_start_with_pictures(place, settings):
    with place.sessions.begin() as session, pytest.raises(SettingsError, match="factory annotate"):
        submit(session, read_labels(["dog"]).requests, settings, seed=None)


def test_a_run_of_pictures_is_named_after_its_labels():
    assert title_of(["dog", "house"]) == "dog, house"
    assert title_of([]) == "anything"
    long = title_of([f"label {number}" for number in range(99)])
    assert (len(long), long[-3:]) == (100, "...")
