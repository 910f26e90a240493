"""The main job with a real worker process, the real broker and real models."""

import contextlib
import io
import json
import os
import shlex
import signal

import pytest
from PIL import Image
from pycocotools.coco import COCO
from sqlalchemy import select

from chatgenimage.db.models import Candidate, Item, Run, Step
from chatgenimage.db.states import ItemState, StepState, Verdict
from chatgenimage.tasks.chain import QUEUES
from tests.e2e.conftest import (
    assert_same_dataset,
    interrupt,
    model_child,
    processes_in,
    wait_until_gone,
)
from training.judges import ObjectJudge

LABELS = ("dog", "penguin", "car", "tree", "house", "ball")


def test_label_words_become_an_annotated_dataset(factory, tmp_path, monkeypatch):
    notice = tmp_path / "notice.json"
    monkeypatch.setenv("FACTORY_NOTIFY_COMMAND", json.dumps(["tee", str(notice)]))
    result = factory.call_json("run", *LABELS, "--per-label", "2")
    with factory.sessions() as session:
        candidates = session.scalars(select(Candidate)).all()
        assert session.scalars(select(Run.state)).all() == ["done"]
        assert_rows_and_files_agree(candidates, factory.images)
        assert_lineage_is_whole(candidates)
        accepted = [c for c in candidates if c.verdict == Verdict.ACCEPTED]
        changed = [c for c in accepted if c.origin != "generated"]
        assert len({c.label.name for c in changed}) >= len(LABELS) / 2
        assert all(c.label.name in {a.label for a in c.annotations} for c in changed)
        assert_the_independent_judge_agrees(accepted, factory.images)
        annotations = sum(len(c.annotations) for c in accepted)
    assert sum(result["accepted"].values()) == len(accepted)
    assert result["failed"] is False
    assert (result["problems"]["quarantined"], result["problems"]["given_up"]) == (0, [])
    assert result["problems"]["without_candidates"]["count"] == 0
    with Image.open(result["contact_sheet"]) as sheet:
        assert sheet.width > 300
    assert_the_logs_say_of_which_run_batch_and_step(factory.data_dir.glob("worker*.log"))
    told = json.loads(notice.read_text(encoding="utf-8"))
    assert (told["event"], told["candidates"]) == ("done", len(candidates))
    assert (told["accepted"], told["quarantined"]) == (len(accepted), 0)

    exported = factory.call("export", "coco", "--out", str(tmp_path / "coco"), "--extras")
    assert exported.returncode == 0, exported.stderr
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco" / "annotations" / "instances_train.json"))
    assert len(coco.imgs) == len(accepted)
    assert len(coco.anns) == annotations
    assert all(coco.annToMask(annotation).any() for annotation in coco.anns.values())
    assert processes_in(factory.data_dir) == []


@pytest.mark.slow  # three runs
def test_a_killed_and_interrupted_run_has_the_same_results(factory, undisturbed):
    words = ("run", "dog", "--per-label", "2", "--seed", "7")
    undisturbed.call_json(*words)
    total = undisturbed.count_candidates()
    running = factory.start(*words)
    factory.wait_for_candidates(1, running)
    model_child(running).send_signal(signal.SIGKILL)
    factory.wait_for_candidates(total // 4, running)
    assert interrupt(running) == 130
    assert processes_in(factory.data_dir) == []
    with factory.sessions() as session:
        assert StepState.RUNNING not in session.scalars(select(Step.state)).all()

    resumed = factory.start(*named_command(factory.log.read_text()))
    factory.wait_for_candidates(total // 2, resumed)
    os.killpg(resumed.pid, signal.SIGKILL)
    resumed.wait()
    before = ids_of(factory)
    factory.call_json("resume")
    assert before.items() <= ids_of(factory).items()  # nothing is made twice
    assert_same_dataset(factory, undisturbed)
    with factory.sessions() as session:
        assert session.scalars(select(Item.state).distinct()).all() == [ItemState.DONE]
    wait_until_gone(factory.data_dir)  # the orphaned worker ends without help


def named_command(told):
    """Return the command to continue that was printed after Ctrl-C, without the data folder."""
    words = shlex.split(told.rpartition("Continue with: ")[2].splitlines()[0])
    assert words[0] == "factory"
    return words[1 : words.index("--data-dir")]


def ids_of(factory):
    with factory.sessions() as session:
        return {c.key: c.id for c in session.scalars(select(Candidate))}


def assert_the_logs_say_of_which_run_batch_and_step(paths):
    logged = [line for path in paths for line in path.read_text().splitlines()]
    lines = [json.loads(line) for line in logged if line.startswith("{")]
    ended = [line for line in lines if line["event"] == "step_ended"]
    told = {"run_id", "batch_id", "task_id", "level", "timestamp"}
    assert {line["step"] for line in ended} == set(QUEUES)
    assert all(told <= set(line) for line in ended)


def assert_rows_and_files_agree(candidates, images):
    for candidate in candidates:
        pixels = images.get(candidate.sha256)
        assert pixels.shape == (candidate.height_px, candidate.width_px, 3)
        provenance = images.provenance(candidate.sha256)
        assert provenance["seed"] == candidate.seed
        assert provenance["prompt"] == candidate.prompt_text
        assert provenance["model"]["revision"] == candidate.model["revision"]
        assert candidate.verdict in (Verdict.ACCEPTED, Verdict.REJECTED)
        assert (candidate.reason is None) == (candidate.verdict == Verdict.ACCEPTED)


def assert_the_independent_judge_agrees(accepted, images):
    judge, right = ObjectJudge.load(), []
    for candidate in accepted:
        boxes = [annotation.box_xyxy for annotation in candidate.annotations]
        named = judge.name(images.get(candidate.sha256), boxes)
        right += [a.label == name for a, name in zip(candidate.annotations, named, strict=True)]
    assert sum(right) / len(right) >= 0.7, f"{right.count(False)} of {len(right)} are not that"


def assert_lineage_is_whole(candidates):
    parents = {"edited": "generated", "filled": "edited"}
    for candidate in candidates:
        if candidate.origin == "generated":
            assert candidate.parent is None
        else:
            assert candidate.parent.origin == parents[candidate.origin]
            assert candidate.key.startswith(candidate.parent.key)
