"""Guarantees of every export: complete or absent, resumable, split by family, with a card."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chatgenimage.db.errors import ImageBroken, ImageMissing
from chatgenimage.db.models import Candidate
from chatgenimage.db.queries import CandidateFilter
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.errors import (
    CannotWrite,
    LibraryMissing,
    NothingFound,
    SettingsError,
    UnknownName,
)
from chatgenimage.factory.export import shards
from chatgenimage.factory.export.base import Format
from chatgenimage.factory.export.exporting import export
from chatgenimage.factory.export.formats import get_format
from chatgenimage.factory.export.licences import UNKNOWN, find_licence
from chatgenimage.factory.export.names import safe_names
from chatgenimage.factory.export.request import ExportRequest
from chatgenimage.factory.export.splits import Splits
from chatgenimage.factory.settings.model import load_settings
from tests.factory import exports
from tests.factory.exports import export_as, files_in


def partial_of(out):
    return out.parent / ".dataset.partial"


def lose(place, candidate_id):
    """Remove a stored image; return a function that restores it."""
    with place.sessions() as session:
        path = Path(place.images.path_of(session.get_one(Candidate, candidate_id).sha256))
    content = path.read_bytes()
    path.unlink()
    return lambda: path.write_bytes(content)


def interrupt(place, out, name="coco", **options):
    """Export until a missing image stops it; restore the image and return the partial folder."""
    bring_back = lose(place, last_accepted(place))
    with pytest.raises(ImageMissing):
        export_as(place, name, out, **options)
    bring_back()
    assert not out.exists()
    return partial_of(out)


def last_accepted(place):
    return max(known.id for known in exports.known_candidates(place).values())


def inodes(folder, pattern):
    return {path.name: path.stat().st_ino for path in folder.rglob(pattern)}


def test_the_accepted_are_written_unless_others_are_asked_for(filled_place, out):
    done = export_as(filled_place, "coco", out)
    assert (done.images, done.annotations, done.classes) == (6, 8, 3)
    export_as(filled_place, "coco", out, verdict=Verdict.REJECTED, overwrite=True)
    coco = exports.read_coco(out / "annotations" / "instances_train.json")
    assert {image["verdict"] for image in coco.imgs.values()} == {"rejected"}
    assert export_as(filled_place, "coco", out, verdict=None, overwrite=True).images == 8


@pytest.mark.models
def test_the_same_rows_give_the_same_files(filled_place, tmp_path):
    first, second = tmp_path / "1" / "dataset", tmp_path / "2" / "dataset"
    export_as(filled_place, "webdataset", first)
    export_as(filled_place, "webdataset", second)
    assert files_in(first) == files_in(second)
    for file in files_in(first):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_nothing_to_export_is_an_error_that_leaves_nothing(filled_place, out):
    with pytest.raises(NothingFound, match="factory query"):
        export_as(filled_place, "coco", out, reason="blank")
    with pytest.raises(NothingFound, match="edited or filled"):
        export_as(filled_place, "triplets", out, origin=Origin.GENERATED)
    assert not out.parent.exists()


def test_an_export_is_not_replaced_unasked(filled_place, out):
    export_as(filled_place, "coco", out)
    before = (out / "export.json").read_bytes()
    with pytest.raises(CannotWrite, match="--overwrite"):
        export_as(filled_place, "coco", out, labels=("dog",))
    assert (out / "export.json").read_bytes() == before
    export_as(filled_place, "coco", out, labels=("dog",), overwrite=True)
    assert len(list(out.rglob("images/train/*.png"))) == 3
    assert [path.name for path in out.parent.iterdir()] == ["dataset"]


def test_other_folders_are_never_replaced(filled_place, out):
    out.mkdir(parents=True)
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(CannotWrite, match="not an export"):
        export_as(filled_place, "coco", out, overwrite=True)
    with pytest.raises(CannotWrite, match="is a file"):
        export_as(filled_place, "coco", out / "thesis.tex")
    partial_of(out).mkdir()
    (partial_of(out) / "thesis.tex").write_text("years of work")
    (out / "thesis.tex").unlink()
    with pytest.raises(CannotWrite, match="not an unfinished export"):
        export_as(filled_place, "coco", out)
    assert (partial_of(out) / "thesis.tex").read_text() == "years of work"


def test_a_folder_that_cannot_be_made_is_an_error(filled_place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write"):
        export_as(filled_place, "coco", tmp_path / "file" / "below" / "dataset")


def test_an_interrupted_export_continues_and_keeps_correct_files(filled_place, out):
    partial = interrupt(filled_place, out)
    written = inodes(partial, "*.png")
    assert 0 < len(written) < 6
    broken = next(partial.rglob("images/train/*.png"))
    broken.write_bytes(broken.read_bytes()[:100])
    assert export_as(filled_place, "coco", out).images == 6
    now = inodes(out / "images", "*.png")
    assert {name: now[name] for name in written} == written
    known = exports.known_candidates(filled_place)
    for path in (out / "images" / "train").iterdir():
        assert (exports.open_pixels(path) == known[path.stem].pixels).all()
    assert [path.name for path in out.parent.iterdir()] == ["dataset"]


@pytest.mark.models
def test_whole_shards_of_an_interrupted_export_are_kept(filled_place, out, monkeypatch):
    monkeypatch.setattr(shards, "SAMPLES_PER_SHARD", 2)
    partial = interrupt(filled_place, out, "webdataset")
    written = inodes(partial, "*.tar")
    assert 0 < len(written) < 3
    export_as(filled_place, "webdataset", out)
    now = inodes(out, "*.tar")
    assert len(now) == 3
    assert {name: now[name] for name in written} == written
    assert list(out.rglob("*.unfinished")) == []


def test_an_unfinished_export_of_something_else_starts_over(filled_place, out):
    interrupt(filled_place, out)
    assert export_as(filled_place, "coco", out, labels=("dog",)).images == 3
    assert len(list(out.rglob("images/train/*.png"))) == 3


@pytest.mark.models
def test_a_damaged_image_stops_the_export(filled_place, out):
    with filled_place.sessions() as session:
        sha256 = session.get_one(Candidate, 1).sha256
    Path(filled_place.images.path_of(sha256)).write_bytes(b"x")
    with pytest.raises(ImageBroken):
        export_as(filled_place, "parquet", out)
    assert not out.exists()


def test_a_full_disk_is_reported_and_leaves_no_half_export(filled_place, out):
    partial = interrupt(filled_place, out)
    (partial / "README.md").symlink_to("/dev/full")
    with pytest.raises(CannotWrite, match=r"no space left .* continues where it stopped"):
        export_as(filled_place, "coco", out)
    assert not out.exists()
    (partial / "README.md").unlink()
    assert export_as(filled_place, "coco", out).images == 6


def test_two_exports_into_one_folder_do_not_mix(filled_place, out):
    partial = interrupt(filled_place, out)
    descriptor = os.open(partial, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(CannotWrite, match="another export"):
        export_as(filled_place, "coco", out)
    os.close(descriptor)
    assert export_as(filled_place, "coco", out).images == 6


@pytest.mark.models
def test_the_card_describes_the_contents_and_how_to_repeat_it(filled_place, out):
    export_as(filled_place, "parquet", out, splits=exports.HALVES)
    text = (out / "README.md").read_text("utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["size_categories"] == ["n<1K"]
    files = front["configs"][0]["data_files"]
    assert all(list(out.glob(entry["path"])) for entry in files)
    assert "| label | images |" in text
    assert "| bundled:micro/stable_diffusion | apache-2.0 |" in text
    assert "| run | background_probability |" in text
    assert "| clip_similarity |" in text
    assert "factory run --file runs/1.csv --profile runs/1.yaml --seed 0" in text
    assert load_settings(out / "runs" / "1.yaml").chain == load_settings("micro").chain
    assert (out / "runs" / "1.csv").read_text().splitlines()[1:] == [
        "dog,1,,,scene",
        "house,1,,,scene",
    ]
    assert exports.open_pixels(out / "samples.png").shape[1] > 300


def test_known_licences_are_listed(tmp_path):
    assert find_licence("bundled:micro/blip2") == "apache-2.0"
    assert find_licence("timbrooks/instruct-pix2pix") == "MIT"
    assert find_licence("checkpoints/sam_vit_h_4b8939.pth") == "Apache-2.0"
    assert "no commercial use" in find_licence("black-forest-labs/FLUX.1-dev")
    (tmp_path / "README.md").write_text("---\nlicense: openrail\n---\n# Mine\n")
    assert find_licence(str(tmp_path)) == "openrail"
    assert find_licence("nobody/nothing") == UNKNOWN


def test_names_of_folders_are_unlike_even_without_case():
    names = safe_names(["Dog", "dog", "DOG", "..", "a/b", "a b", "nul", "犬", "é" * 300])
    assert names["Dog"] == "Dog-2"
    assert (names["a b"], names["a/b"]) == ("a-b", "a-b-2")
    assert (names[".."], names["nul"], names["犬"]) == ("label", "label-nul", "犬")
    assert all(len(name.encode()) < 255 for name in names.values())
    assert len({name.casefold() for name in names.values()}) == len(names)


def test_unknown_names_are_refused(filled_place, out):
    with pytest.raises(UnknownName, match="coco"):
        get_format("cocoa")
    with pytest.raises(SettingsError, match="no option for masks"):
        export_as(filled_place, "voc", out, masks="polygons")


def test_a_missing_library_is_reported_with_its_remedy(filled_place, out):
    wanted = Format("odd", "odd", get_format("voc").open, "", modules=("no_such_library",))
    request = ExportRequest(wanted, out, CandidateFilter(), Splits())
    with pytest.raises(LibraryMissing, match=r"pip install no_such_library"):
        export(filled_place.sessions, filled_place.images, request)


@pytest.mark.processes
def test_the_command_exports_and_is_repeated_in_the_card(filled_place, out):
    words = ["coco", "--out", str(out), "--splits", exports.HALVES, "--label", "dog"]
    words += ["--min", "clip_similarity=0.1", "--json", "--data-dir", str(filled_place.data_dir)]
    called = subprocess.run(
        [sys.executable, "-m", "chatgenimage", "export", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    done = json.loads(called.stdout)
    assert (done["format"], done["images"]) == ("coco", 3)
    assert done["folder"] == str(out)
    told = f"factory export coco --out {out} --splits {exports.HALVES} --label dog --min "
    assert told + "clip_similarity=0.1\n" in (out / "README.md").read_text("utf-8")
