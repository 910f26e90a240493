"""A stage that is stopped resumes where it was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGE = """
import sys
import torch
from training.loop import Plan, Trainer

model = torch.nn.Linear(2, 1)
trainer = Trainer(Plan("tiny", float(sys.argv[1]), lr=0.01), model)
trainer.fit(
    lambda _step: {"loss": model(torch.ones(1, 2)).square().mean()},
    lambda: print("exported at step", trainer.step, "loss", float(model(torch.ones(1, 2)) ** 2)),
)
"""


def start(minutes, cache):
    return subprocess.Popen(
        [sys.executable, "-c", STAGE, str(minutes)],
        cwd=ROOT,
        env={**os.environ, "TRAINING_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_stage_that_was_stopped_goes_on_with_its_steps_and_its_weights(tmp_path):
    with start(60, tmp_path) as stopped:
        stopped.stdout.readline()  # fifty steps are done
        stopped.send_signal(signal.SIGTERM)
        told, complaint = stopped.communicate(timeout=300)
    assert "resumes when started again" in complaint
    exported = told.splitlines()[-1]
    assert exported.startswith("exported at step")

    with start(1e-6, tmp_path) as resumed:
        told, complaint = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, complaint
    assert told.splitlines()[0] == f"tiny: resumes at step {exported.split()[3]}"
    assert told.splitlines()[-1] == exported
