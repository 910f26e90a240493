"""Training loop of all models: time budget, warm-up and cosine, EMA, resume."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from training.places import STATES

SAVE_EVERY_S = 150.0
PRINT_EVERY_STEPS = 50
STATE_FILE = "state.pt"
START_FILE = "start.pt"
"""Initial weights of the model if there is no state yet; see `training.warm_start`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Duration and learning rate of a training.

    Attributes:
        name: The stage; also the name of its folder.
        minutes: Total training time, over all resumed runs.
        lr: Peak learning rate.
        warmup_share: Share of `minutes` in which the rate rises to its peak.
        ema_decay: Decay of the averaged weights, which are exported.
        weight_decay: Weight decay of AdamW.
        export_every_minutes: Interval of intermediate exports.
    """

    name: str
    minutes: float
    lr: float
    warmup_share: float = 0.03
    ema_decay: float = 0.998
    weight_decay: float = 0.01
    export_every_minutes: float = 6.0

    @property
    def folder(self) -> Path:
        """Folder of the training state."""
        return STATES / self.name

    def rate(self, progress: float) -> float:
        """Return the learning rate at `progress` in [0, 1]: linear warm-up, then a cosine."""
        if progress < self.warmup_share:
            return self.lr * (progress / self.warmup_share + 0.01)
        falling = min((progress - self.warmup_share) / (1 - self.warmup_share), 1.0)
        return self.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * falling)))


class Trainer:
    """Trains `model` in place; `average` holds the exponential moving average of its weights."""

    def __init__(
        self, plan: Plan, model: nn.Module, groups: list[dict[str, Any]] | None = None
    ) -> None:
        self._plan, self._model = plan, model
        parameters = groups or [{"params": [p for p in model.parameters() if p.requires_grad]}]
        for group in parameters:
            group.setdefault("lr_scale", 1.0)
        self._optimizer = torch.optim.AdamW(
            parameters, lr=plan.lr, betas=(0.9, 0.98), weight_decay=plan.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.step, self.elapsed_s = 0, 0.0
        self._stopping = False
        self._resume()

    @property
    def progress(self) -> float:
        """Used share of the budget, in [0, 1]."""
        return self.elapsed_s / (60 * self._plan.minutes)

    def fit(
        self, losses_of: Callable[[int], dict[str, Tensor]], export: Callable[[], None]
    ) -> None:
        """Train until the budget is used; save and export regularly and at the end.

        Args:
            losses_of: Step number -> named losses; their sum is minimised.
            export: Called while `model` holds the averaged weights.
        """
        signal.signal(signal.SIGTERM, self._stop)
        saved_s, exported_s = self.elapsed_s, self.elapsed_s
        sums: dict[str, float] = {}
        self._model.train()
        while self.progress < 1 and not self._stopping:
            started = time.monotonic()
            for name, value in self._train_step(losses_of).items():
                sums[name] = sums.get(name, 0.0) + value
            self.elapsed_s += time.monotonic() - started
            if self.step % PRINT_EVERY_STEPS == 0:
                self._print(sums)
                sums = {}
            if self.elapsed_s - saved_s > SAVE_EVERY_S:
                saved_s = self.elapsed_s
                self._save()
            if self.elapsed_s - exported_s > 60 * self._plan.export_every_minutes:
                exported_s = self.elapsed_s
                self._export(export)
        self._save()
        self._export(export)
        if self._stopping:
            raise SystemExit(f"{self._plan.name}: stopped; resumes when started again")

    def _train_step(self, losses_of: Callable[[int], dict[str, Tensor]]) -> dict[str, float]:
        rate = self._plan.rate(self.progress)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        losses = losses_of(self.step)
        total = torch.stack(list(losses.values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        if torch.isfinite(norm):
            self._optimizer.step()
            self.step += 1
            self._average()
        return {name: float(value.detach()) for name, value in losses.items()}

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self._plan.ema_decay, (1 + self.step) / (10 + self.step))
        state = self._model.state_dict()
        floats = [k for k, v in state.items() if v.is_floating_point()]
        torch._foreach_lerp_(  # the fused public spelling does not exist
            [self.average[k] for k in floats], [state[k] for k in floats], 1 - decay
        )
        for key in state.keys() - set(floats):
            self.average[key].copy_(state[key])

    def _print(self, sums: dict[str, float]) -> None:
        means = " ".join(f"{k} {v / PRINT_EVERY_STEPS:.4f}" for k, v in sums.items())
        clock = time.strftime("%H:%M:%S")
        rate = self._plan.rate(self.progress)
        minutes = f"{self.elapsed_s / 60:.1f}/{self._plan.minutes:g} min"
        print(f"{clock} {self._plan.name} {self.step} {minutes} lr {rate:.1e} {means}", flush=True)

    def _export(self, export: Callable[[], None]) -> None:
        with averaged(self._model, self.average):
            export()

    def _save(self) -> None:
        self._plan.folder.mkdir(parents=True, exist_ok=True)
        partial = self._plan.folder / f"{STATE_FILE}.partial"
        torch.save(
            {
                "model": self._model.state_dict(),
                "average": self.average,
                "optimizer": self._optimizer.state_dict(),
                "step": self.step,
                "elapsed_s": self.elapsed_s,
            },
            partial,
        )
        partial.replace(self._plan.folder / STATE_FILE)

    def _resume(self) -> None:
        path = self._plan.folder / STATE_FILE
        if not path.exists():
            self._start_warm()
            return
        state = torch.load(path, weights_only=True)
        self._model.load_state_dict(state["model"])
        self.average = state["average"]
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        print(f"{self._plan.name}: resumes at step {self.step}", flush=True)

    def _start_warm(self) -> None:
        path = self._plan.folder / START_FILE
        if path.exists():
            self._model.load_state_dict(torch.load(path, weights_only=True))
            self.average = {k: v.detach().clone() for k, v in self._model.state_dict().items()}
            print(f"{self._plan.name}: starts from {path}", flush=True)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True


@contextmanager
def averaged(model: nn.Module, average: dict[str, Tensor]) -> Iterator[None]:
    """Lend the averaged weights to `model`, in evaluation mode."""
    own = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average)
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(own)
        model.train()
