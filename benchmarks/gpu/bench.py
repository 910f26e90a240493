"""The bench that every part works on: networks, clock, results."""

import gc
import json
import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from benchmarks.gpu.networks import SAVE, Maker
from benchmarks.gpu.sizes import Sizes
from chatgenimage.workers.config import FamilyConfig
from chatgenimage.workers.registry import load_family
from chatgenimage.workers.weights.local_files import loading

Row = dict[str, Any]
ADAPTER: TypeAdapter[FamilyConfig] = TypeAdapter(FamilyConfig)
FAMILIES = {
    "sd15": "stable_diffusion",
    "sdxl": "stable_diffusion",
    "ip2p": "instruct_pix2pix",
    "blip2": "blip2",
    "dino_base": "grounding_dino",
    "dino_tiny": "grounding_dino",
    "sam": "segment_anything",
    "clip": "open_clip",
}
PUBLISHED_NAMES = {
    "sd15": "Stable Diffusion 1.5",
    "sdxl": "Stable Diffusion XL base",
    "ip2p": "InstructPix2Pix",
    "blip2": "BLIP-2 OPT-2.7B",
    "dino_base": "Grounding DINO base",
    "dino_tiny": "Grounding DINO tiny",
    "sam": "Segment Anything ViT-H",
    "clip": "OpenCLIP ViT-B/32",
}
DTYPES = {
    **dict.fromkeys(("sd15", "sdxl", "ip2p", "blip2"), "float16"),
    **dict.fromkeys(("dino_base", "dino_tiny", "sam", "clip"), "float32"),
}
"""The precision in which the profiles let each network compute on a GPU."""


@dataclass
class Results:
    """What was measured so far; written down after every row."""

    path: Path
    machine: Row
    parts: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, part: str, /, **row: Any) -> None:  # noqa: ANN401 (JSON)
        """Keep a row, on disk too."""
        self.parts.setdefault(part, []).append(row)
        content = {"machine": self.machine, "parts": self.parts}
        self.path.write_text(json.dumps(content, indent=1), encoding="utf-8")


@dataclass
class Bench:
    """Where the networks lie, on which device they compute, and how much time is left.

    Attributes:
        steps: Denoising steps of a measured pass.
        batches: Images in a pass.
    """

    folder: Path
    device: str
    sizes: Sizes
    results: Results
    steps: int
    batches: tuple[int, ...]
    budget_s: float
    say: Callable[[str], None] = lambda _: None
    started: float = field(default_factory=time.monotonic)
    part: str = ""
    part_ends: float = math.inf

    @property
    def on_cuda(self) -> bool:
        """Return whether there is a GPU."""
        return self.device.startswith("cuda")

    def left_s(self) -> float:
        """Return how long the part may still take."""
        return min(self.part_ends, self.started + self.budget_s) - time.monotonic()

    def begin(self, part: str, budget_s: float) -> None:
        """Start the clock of a part."""
        self.part, self.part_ends = part, time.monotonic() + budget_s

    def add(self, **row: Any) -> None:  # noqa: ANN401 (JSON)
        """Keep a row of the part."""
        self.say(f"{self.part}: {row}")
        self.results.add(self.part, **row)

    def has_time(self, wanted_s: float, **what: Any) -> bool:  # noqa: ANN401 (JSON)
        """Return whether there is time for it; if not, say what is skipped."""
        if wanted_s <= self.left_s():
            return True
        self.add(**what, skipped=f"needs {wanted_s:.0f} s, {max(self.left_s(), 0):.0f} s are left")
        return False

    def failed(self) -> bool:
        """Return whether anything did."""
        return any("failed" in row for rows in self.results.parts.values() for row in rows)

    def attempt(self, work: Callable[[], object], /, **what: Any) -> bool:  # noqa: ANN401 (JSON)
        """Return whether the work was done; that it failed is a result, and the next is tried."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  (a library's fault must not cost the rest)
            trace = traceback.format_exc()[-3000:]
            self.add(**what, failed=f"{type(error).__name__}: {error}"[:500], trace=trace)
            return False
        finally:
            self.clean()
        return True

    def checkpoint(self, name: str) -> Path:
        """Return where a network lies, made at the first use."""
        place = self.folder / name
        if not place.exists():
            with loading(name):  # which keeps the libraries quiet
                SAVE[name](Maker(self.sizes, self.device), place)
            self.clean()
        files = list(place.glob("*.pth"))
        return files[0] if files else place

    def load(self, name: str, dtype: str | None = None, **settings: object) -> Any:  # noqa: ANN401
        """Return a family of the factory, loaded as a worker loads it."""
        values = {
            "family": FAMILIES[name],
            "checkpoint": str(self.checkpoint(name)),
            "dtype": dtype or (DTYPES[name] if self.on_cuda else "float32"),
        }
        return load_family(
            ADAPTER.validate_python(values | self.defaults(name) | settings), self.device
        )

    def defaults(self, name: str) -> Row:
        """Return the settings of the profiles that shape how much there is to compute."""
        side = self.sizes.side_px
        side_xl = 2 * side
        painting = {"num_inference_steps": self.steps, "fill_num_inference_steps": self.steps}
        settings: dict[str, Row] = {
            "sd15": {"size_wh": (side, side), **painting},
            "sdxl": {"size_wh": (side_xl, side_xl), "guidance_scale": 5.0, **painting},
            "ip2p": {"num_inference_steps": self.steps},
            "dino_base": {"box_threshold": 1.0},
            "dino_tiny": {"box_threshold": 1.0},
        }
        return settings.get(name, {})

    def clean(self) -> None:
        """Give back what nothing holds any more."""
        gc.collect()
        if self.on_cuda:
            torch.cuda.empty_cache()

    def allocated(self) -> int:
        """Return how many bytes tensors take of the device now."""
        return torch.cuda.memory_allocated() if self.on_cuda else 0

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long it takes until the device is done with it."""
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - started

    def wait(self) -> None:
        """Return when the device has nothing left to do."""
        if self.on_cuda:
            torch.cuda.synchronize()

    @contextmanager
    def peak(self) -> Iterator[Row]:
        """Yield what becomes the most memory that was allocated and reserved meanwhile."""
        found: Row = {}
        if self.on_cuda:
            self.clean()
            torch.cuda.reset_peak_memory_stats()
        yield found
        if self.on_cuda:
            found["peak_bytes"] = torch.cuda.max_memory_allocated()
            found["reserved_bytes"] = torch.cuda.max_memory_reserved()
