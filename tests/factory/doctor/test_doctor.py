"""`factory doctor`: its findings and its repairs."""

import json
import os
import shutil
import socket
import time
from pathlib import Path

import pytest
import torch
from sqlalchemy import select, update
from typer.testing import CliRunner

from chatgenimage.db.models import Batch, Boot, Candidate
from chatgenimage.db.states import Verdict
from chatgenimage.factory.cli import app
from chatgenimage.factory.doctor.checks import Gpu, judge_gpus
from chatgenimage.factory.doctor.store import YOUNG_S, find_differences, to_findings
from tests import rows, s3
from tests.deep_folder import make_deep_folder


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch):
    for name in ("REDIS_URL", "FACTORY_PROFILE", "FACTORY_DATABASE_URL", "FACTORY_DEVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def doctor(place):
    """Returns the exit code and the findings by name."""

    def call(*words):
        command = ["doctor", *words, "--json", "--data-dir", str(place.data_dir)]
        result = CliRunner().invoke(app, command)
        assert result.stdout, (result.exit_code, result.stderr, result.exception)
        return result.exit_code, {found["name"]: found for found in json.loads(result.stdout)}

    return call


@pytest.fixture
def candidates(place):
    """Three accepted candidates with their files."""
    with place.sessions.begin() as session:
        rows.add_run(session)
        batch = session.scalars(select(Batch)).one()
        return [candidate.sha256 for candidate in rows.add_family(place, session, batch)]


def grow_old(path):
    os.utime(path, (0, time.time() - 2 * YOUNG_S))


def healths(place):
    found = find_differences(place.sessions, place.images)
    return [finding.health for finding in to_findings(found, verified=False)]


def test_a_healthy_factory_has_an_ok_line_per_check(doctor, candidates):
    code, found = doctor()
    assert code == 0, found
    names = ["settings", "database", "clock", "broker", "images", "disk", "checkpoints", "device"]
    names.append("memory")
    assert [name for name in names if name in found] == names
    assert found["rows"]["text"] == "every candidate has its file"
    assert found["files"]["text"] == "every file has its candidate"


def check_empty(data_dir, *place):
    result = CliRunner().invoke(app, ["doctor", "--json", "--data-dir", str(data_dir), *place])
    assert result.exit_code == 0, result.output
    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert "is empty; `factory run" in found["database"]["text"]
    assert not found.keys() & {"clock", "rows", "files"}


def test_an_empty_file_has_nothing_to_compare(tmp_path):
    (tmp_path / "factory.sqlite3").touch()
    check_empty(tmp_path)


def test_a_new_postgresql_database_has_nothing_to_compare(postgres, tmp_path):
    postgres.execute("CREATE DATABASE brand_new")
    check_empty(tmp_path, "--database-url", postgres.url("brand_new"))
    postgres.execute("DROP DATABASE brand_new WITH (FORCE)")


@pytest.mark.parametrize(("seconds", "side"), [(600, "ahead of"), (-600, "behind")])
def test_a_clock_that_differs_from_the_database_s_is_a_warning(doctor, place, seconds, side):
    with place.sessions.begin() as session:
        session.execute(update(Boot).values(booted_at=Boot.booted_at + seconds))
    code, found = doctor()
    assert code == 0
    assert found["clock"]["health"] == "warning"
    assert f"0 s {side} this machine's" in found["clock"]["text"]


def test_a_problem_is_reported_with_its_remedy(doctor, place, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REDIS_URL", f"redis://:hush@127.0.0.1:{taken.getsockname()[1]}/0")
    (place.data_dir / "a-file").touch()
    monkeypatch.setenv("FACTORY_IMAGE_STORE_URL", str(place.data_dir / "a-file" / "images"))
    monkeypatch.setenv("FACTORY_FAMILIES__EDITING__CHECKPOINT", "/nowhere")
    monkeypatch.setenv("FACTORY_DEVICE", "cuda:7")
    code, found = doctor()
    assert code == 1
    for name, part in {
        "broker": "Start it",
        "images": "cannot write",
        "checkpoints": "/nowhere",
        "device": "finds no GPU",
    }.items():
        assert found[name]["health"] == "wrong"
        assert part in found[name]["text"]
    assert "hush" not in str(found)
    assert "rows" not in found  # rows and files cannot be compared


def test_every_missing_file_is_named_with_the_command_that_downloads_all(
    place, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    words = ["doctor", "--profile", "sd15", "--data-dir", str(place.data_dir)]
    monkeypatch.setenv("FACTORY_DEVICE", "cpu")
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    [checkpoints] = [one for one in found if one["name"] == "checkpoints"]
    assert checkpoints["health"] == "warning"
    assert checkpoints["text"].startswith("6 of 6 are not downloaded: ")
    for checkpoint in ("instruct-pix2pix", "blip2-opt-2.7b", "checkpoints/sam_vit_h_4b8939.pth"):
        assert checkpoint in checkpoints["text"]
    assert "`factory models pull sd15` downloads them" in checkpoints["text"]


def test_free_gpu_memory_is_reported_with_a_warning_if_low():
    free, busy = Gpu("A100", 39 * 2**30, 40 * 2**30), Gpu("T4", 2**30, 15 * 2**30)
    well = judge_gpus("auto", [free], "torch 2")
    assert (well.health, well.text) == ("ok", "auto; A100 (39.0 of 40.0 GiB free), torch 2")
    little = judge_gpus("auto", [free, busy], "torch 2")
    assert little.health == "warning"
    assert "T4 (1.0 of 15.0 GiB free)" in little.text
    assert "nvidia-smi" in little.text


def test_a_gpu_that_does_not_answer_is_told_with_its_own_words(doctor, monkeypatch):
    def refuse(_index):
        raise torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be late")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", refuse)
    code, found = doctor()
    assert code == 1
    assert found["device"]["health"] == "wrong"
    assert found["device"]["text"] == "CUDA error: out of memory; look at it with nvidia-smi"


def test_before_the_first_run_nothing_is_wrong_and_nothing_is_made(tmp_path):
    result = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    place = tmp_path / "data"
    assert f"`factory run --data-dir {place}` creates it" in result.stdout


def test_a_candidate_with_a_missing_file_is_rejected_but_not_deleted(doctor, place, candidates):
    os.remove(place.images.path_of(candidates[0]))  # noqa: PTH107  # a path as text
    code, found = doctor()
    assert (code, found["rows"]["health"]) == (1, "wrong")
    assert doctor("--repair")[0] == 0
    with place.sessions() as session:
        root = session.scalars(select(Candidate).where(Candidate.sha256 == candidates[0])).one()
        assert (root.verdict, root.reason) == (Verdict.REJECTED, "image_missing")
        others = select(Candidate.verdict).where(Candidate.id != root.id)
        assert session.scalars(others).all() == [Verdict.ACCEPTED] * 2


def test_a_damaged_file_is_found_by_its_checksum_and_its_candidate_rejected(
    doctor, place, candidates
):
    path = Path(place.images.path_of(candidates[1]))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    assert doctor()[0] == 0  # without being asked, nobody reads every image
    code, found = doctor("--checksums")
    assert (code, found["checksums"]["health"]) == (1, "wrong")
    code, found = doctor("--checksums", "--repair")
    assert (code, found["checksums"]["health"]) == (0, "ok")
    assert not path.exists()
    with place.sessions() as session:
        damaged = session.scalars(select(Candidate).where(Candidate.sha256 == candidates[1])).one()
        assert (damaged.verdict, damaged.reason) == (Verdict.REJECTED, "image_missing")


def test_old_files_without_a_row_are_set_aside_and_young_ones_left(place, candidates, doctor):
    pixels, _ = rows.paint("red")
    orphan = place.images.put(pixels, {"key": "none"})
    half = f"{place.images.path_of(orphan)}.0123.tmp"
    with open(half, "wb") as file:  # noqa: PTH123  # a path as text
        file.write(b"\x89PNG")
    assert healths(place) == ["ok", "ok"]  # a worker may be about to write their rows
    for path in (half, place.images.path_of(orphan)):
        grow_old(path)
    assert healths(place) == ["ok", "wrong"]
    assert doctor("--repair")[0] == 0
    assert healths(place) == ["ok", "ok"]
    aside = place.data_dir / "images" / "set-aside"
    assert sorted(path.suffix for path in aside.iterdir()) == [".png", ".tmp"]
    for sha256 in candidates:
        place.images.get(sha256)


def test_a_file_that_is_stored_again_is_young_and_whole_again(place, candidates):
    pixels, _ = rows.paint("red")
    sha256 = place.images.put(pixels, {"key": "none"})
    path = place.images.path_of(sha256)
    with open(path, "wb") as file:  # noqa: PTH123  # a path as text
        file.write(b"damaged")
    grow_old(path)
    assert place.images.put(pixels, {"key": "none"}) == sha256
    assert place.images.get(sha256).shape == pixels.shape
    assert place.images.age_s(path) < YOUNG_S


def test_images_that_cannot_be_listed_are_a_finding_among_the_others(doctor, place, candidates):
    folder = place.data_dir / "images"
    make_deep_folder(folder)
    code, found = doctor("--repair")
    assert (code, found["images"]["health"], found["rows"]["health"]) == (1, "ok", "wrong")
    assert found["rows"]["text"].startswith(f"cannot list {folder}: ")
    shutil.rmtree(folder)


def test_a_bucket_is_checked_like_a_folder(doctor, s3_server, monkeypatch):
    monkeypatch.setenv("FACTORY_IMAGE_STORE_URL", f"s3://{s3.BUCKET}/images")
    monkeypatch.setenv("FACTORY_IMAGE_STORE_ENDPOINT", s3_server.endpoint)
    _, found = doctor()
    assert found["images"]["text"] == (
        f"s3://{s3.BUCKET}/images at {s3_server.endpoint} can be written to"
    )
    assert (found["rows"]["health"], found["files"]["health"]) == ("ok", "ok")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mistyped")
    code, found = doctor()
    assert (code, found["images"]["health"]) == (1, "wrong")
    assert "Check AWS_ACCESS_KEY_ID" in found["images"]["text"]
    assert "mistyped" not in str(found)
