"""Classes of exports: chosen, merged, and with numbers that never change."""

import threading

import pytest
import yaml
from sqlalchemy import text

from chatgenimage.db.class_numbers import list_numbered_classes
from chatgenimage.db.models import Run
from chatgenimage.db.session import connect, engine_of
from chatgenimage.factory.errors import SettingsError, UnknownName
from chatgenimage.factory.export.class_choice import ClassChoice, parse_classes, parse_merges
from tests import rows
from tests.factory import exports
from tests.factory.exports import export_as

BACKGROUNDS = ("white", "grey", "red", "blue")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


def add_run(place, *images):
    """Add a run; each image is the label that was asked for, and the objects found on it."""
    with place.sessions.begin() as session:
        run = rows.add_run(session, list(dict.fromkeys(label for label, *_ in images)))
        batches = {batch.label.name: batch for batch in rows.batches_of(session, run)}
        for index, (label, *found) in enumerate(images):
            objects = [(name, "peru", rows.DOG_BOX) for name in found]
            rows.add_candidate(
                place, session, batches[label], objects, background=BACKGROUNDS[index]
            )
        return run.id


def names_of(place, out, choice=None, **wanted):
    export_as(place, "yolo-detect", out, choice=choice, overwrite=True, **wanted)
    names = yaml.safe_load((out / "data.yaml").read_text())["names"]
    assert (out / "classes.txt").read_text().splitlines() == list(names.values())
    return list(names.values())


def test_the_labels_asked_for_come_first_then_what_was_found(place, out):
    add_run(place, ("tree", "tree", "apple"), ("dog", "zebra"))
    assert names_of(place, out) == ["tree", "dog", "apple", "zebra"]


def test_classes_that_were_not_asked_for_are_exported_on_request(place, out):
    add_run(place, ("tree", "tree", "apple", "middle"))
    done = export_as(place, "coco", out, choice=ClassChoice())
    note = "Left out: objects 2 (apple 1, middle 1) of classes that were not asked for; --extras"
    assert note in str(done)
    assert note in (out / "README.md").read_text()
    assert (done.annotations, done.classes) == (1, 1)
    assert done.left_out_objects == {"apple": 1, "middle": 1}
    assert names_of(place, out, ClassChoice(("middle",))) == ["middle"]
    assert names_of(place, out, ClassChoice(extras=True)) == ["tree", "apple", "middle"]
    assert names_of(place, out, ClassChoice(merged={"apple": "tree"})) == ["tree"]
    assert names_of(place, out, ClassChoice()) == ["tree"]


def test_an_extra_that_becomes_a_label_adds_no_other_extras(place, out):
    add_run(place, ("tree", "tree", "apple", "bush"), ("dog", "dog"))
    names_of(place, out, ClassChoice(extras=True))  # gives each of them a number
    assert names_of(place, out, ClassChoice(merged={"bush": "tree"})) == ["tree", "dog"]
    shrubs = ClassChoice(merged={"bush": "shrub"})
    assert names_of(place, out, shrubs) == ["tree", "dog", "apple", "shrub"]


def test_the_class_list_of_a_profile_adds_no_class(place, out):
    run_id = add_run(place, ("tree", "tree", "apple"), ("dog", "tree", "dog"))
    with place.sessions.begin() as session:
        run = session.get_one(Run, run_id)
        chain = {**run.profile["chain"], "class_list": ["apple", "zebra"]}
        run.profile = {**run.profile, "chain": chain}
    assert names_of(place, out, ClassChoice()) == ["tree", "dog"]


def test_the_new_name_of_a_class_is_no_extra(place, out):
    add_run(place, ("puppy", "puppy", "dog", "tree"))
    assert names_of(place, out, ClassChoice(merged={"puppy": "dog"})) == ["dog"]


def test_what_one_run_asked_for_is_no_extra_of_another_in_the_same_export(place, out):
    add_run(place, ("tree", "tree", "dog"))
    add_run(place, ("dog", "dog", "apple"))
    done = export_as(place, "coco", out, choice=ClassChoice())
    assert (done.annotations, done.left_out_objects) == (3, {"apple": 1})


def test_numbers_do_not_depend_on_the_filter(place, out):
    run = add_run(place, ("tree", "tree", "apple"), ("dog", "zebra"))
    names = names_of(place, out, labels=("dog",))
    assert names == names_of(place, out)
    assert names == names_of(place, out, verdict=None, run_id=run, objects=("apple",))


def test_numbers_of_earlier_exports_stay_when_runs_are_added(place, out):
    add_run(place, ("tree", "apple"))
    first = names_of(place, out)
    add_run(place, ("bird", "bird"), ("dog", "apple", "ant"))
    assert names_of(place, out) == [*first, "bird", "dog", "ant"]
    with place.sessions() as session:
        assert list_numbered_classes(session) == [*first, "bird", "dog", "ant"]


def test_a_run_that_was_never_exported_takes_no_numbers(place, out):
    add_run(place, ("tree", "apple"))
    second = add_run(place, ("bird", "bird"))
    assert names_of(place, out, run_id=second) == ["bird"]
    assert names_of(place, out) == ["bird", "tree", "apple"]


def test_classes_of_other_runs_that_keep_a_number_are_named(place, out):
    add_run(place, ("tree", "apple"))
    names_of(place, out)
    second = add_run(place, ("bird", "bird"))
    done = export_as(place, "coco", out, run_id=second, overwrite=True)
    told = "2 of the 3 classes are of other runs or extras and have no objects here (tree, apple)"
    assert told in str(done)
    assert told in (out / "README.md").read_text()
    chosen = ClassChoice(("bird", "tree"))
    done = export_as(place, "coco", out, choice=chosen, run_id=second, overwrite=True)
    assert "Classes that are not in these runs: tree." in str(done)


def test_chosen_classes_fix_names_and_order_and_the_rest_is_left_out_and_counted(place, out):
    add_run(place, ("dog", "dog", "tree", "tree"), ("car", "tree"), ("house", "dog"), ("car",))
    choice = ClassChoice(("house", "dog"))
    done = export_as(place, "coco", out, choice=choice)
    coco = exports.read_coco(out / "annotations" / "instances_train.json")
    assert [one["name"] for one in coco.cats.values()] == ["house", "dog"]
    assert [one["label"] for one in coco.imgs.values()] == ["dog", "house"]
    assert (done.images, done.annotations, done.classes) == (2, 2, 2)
    assert done.left_out_objects == {"tree": 2}
    assert done.left_out_images == 2
    told = "Left out by --classes: objects 2 (tree 2), images 2."
    assert told in str(done)
    assert told in (out / "README.md").read_text()
    with place.sessions() as session:
        assert list_numbered_classes(session) == []


def test_an_image_of_a_class_that_was_not_chosen_has_the_class_of_its_surest_object(place, out):
    add_run(place, ("car", "tree", "dog"), ("car", "car", "dog", "tree"))
    export_as(place, "imagefolder", out, choice=ClassChoice(("dog", "tree")))
    folders = {path.parent.name for path in out.rglob("*.png") if path.parent != out}
    assert folders == {"tree", "dog"}


def test_classes_can_be_merged(place, out):
    add_run(place, ("puppy", "puppy"), ("dog", "dog", "tree"), ("tree", "puppy"))
    merged = ClassChoice(merged={"puppy": "dog"})
    assert names_of(place, out, merged) == ["dog", "tree"]
    assert "- puppy became dog." in (out / "README.md").read_text()
    labels = [path.read_text().split()[0] for path in sorted(out.glob("labels/*/*.txt"))]
    assert labels == ["0", "0", "0"]
    pet = ClassChoice(("pet",), {"puppy": "pet", "dog": "pet"})
    done = export_as(place, "coco", out, choice=pet, overwrite=True)
    assert (done.images, done.annotations) == (3, 3)
    assert done.left_out_objects == {"tree": 1}


def test_an_unknown_class_is_an_error_with_the_nearest_name(place, out):
    add_run(place, ("dog", "tree"))
    for choice in (ClassChoice(("dgo",)), ClassChoice(merged={"dgo": "cat"})):
        with pytest.raises(UnknownName, match="did you mean 'dog'"):
            export_as(place, "coco", out, choice=choice)
    with pytest.raises(UnknownName, match="no class is called 'dog'"):  # it is a cat now
        export_as(place, "coco", out, choice=ClassChoice(("dog",), {"dog": "cat"}))
    assert not out.exists()


def test_two_exports_at_the_same_moment_agree(place, tmp_path):
    runs = [add_run(place, ("tree", "apple", "ant")), add_run(place, ("bird", "bee", "ant"))]
    outs = [tmp_path / "exports" / str(run) for run in runs]
    threads = [
        threading.Thread(target=names_of, args=(place, out), kwargs={"run_id": run})
        for run, out in zip(runs, outs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = names_of(place, tmp_path / "exports" / "all")
    assert sorted(final) == ["ant", "apple", "bee", "bird", "tree"]
    for out in outs:
        names = (out / "classes.txt").read_text().splitlines()
        assert names == final[: len(names)]


def test_a_database_user_who_may_only_read_can_export(postgres_place, out):
    add_run(postgres_place, ("tree", "apple"))
    url = engine_of(postgres_place.sessions).url
    with postgres_place.sessions.begin() as session:
        session.execute(text("DROP ROLE IF EXISTS reader"))
        session.execute(text("CREATE ROLE reader LOGIN"))
        session.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    reads = connect(url.set(username="reader").render_as_string(hide_password=False))
    try:
        place = rows.Place(postgres_place.data_dir, reads, postgres_place.images)
        done = export_as(place, "yolo-detect", out)
        assert done.classes == 2
        assert "were not remembered" in str(done)
        assert "permission denied" in str(done)
    finally:
        engine_of(reads).dispose()
        with postgres_place.sessions.begin() as session:
            session.execute(text("DROP OWNED BY reader"))
            session.execute(text("DROP ROLE reader"))


def test_there_are_not_too_many_classes():
    with pytest.raises(SettingsError, match="names 10001 classes: at most 10000"):
        parse_classes(",".join(map(str, range(10_001))))  # longer than a file name can be


def test_texts_and_files_of_classes_are_read(tmp_path):
    assert parse_classes(" dog, big  house,,") == ("dog", "big house")
    file = tmp_path / "mine.txt"
    file.write_text("\ufeffdog\n\nCar, red\n", encoding="utf-8")
    assert parse_classes(str(file)) == ("dog", "Car, red")
    assert parse_merges(["puppy=dog", " a b = c "]) == {"puppy": "dog", "a b": "c"}


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (",", "names no class"),
        ("dog,dog", "twice"),
        ("missing.txt", "cannot be read: No such file"),
    ],
)
def test_texts_that_are_no_classes_are_refused(classes, told):
    with pytest.raises(SettingsError, match=told):
        parse_classes(classes)


@pytest.mark.parametrize(
    ("merges", "told"),
    [(["puppy"], "OLD=NEW"), (["=dog"], "OLD=NEW"), (["a=b", "a=c"], "two names")],
)
def test_texts_that_are_no_merges_are_refused(merges, told):
    with pytest.raises(SettingsError, match=told):
        parse_merges(merges)
