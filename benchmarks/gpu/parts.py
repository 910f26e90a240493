"""The parts of the benchmark, in their order, each with its share of the time."""

from collections.abc import Callable
from functools import partial

from benchmarks.gpu import micro, painting, rates, sharing, steps
from benchmarks.gpu.bench import Bench

Part = Callable[[Bench], None]
LABELLERS = ("blip2", "dino_base", "sam", "clip")


def right_on_the_device(bench: Bench) -> None:
    """Compare the micro profile with the CPU, and try it."""
    micro.compare(bench)
    micro.try_all(bench)


def painters(bench: Bench) -> None:
    """Measure Stable Diffusion 1.5 and InstructPix2Pix, and whether company changes an image."""
    for name in ("sd15", "ip2p"):
        bench.attempt(partial(_painter, bench, name), network=name)


def _painter(bench: Bench, name: str) -> None:
    painting.compare_company(bench, name, rates.measure(bench, name))


def labellers(bench: Bench) -> None:
    """Measure what captions, detects, segments and embeds."""
    for name in ("blip2", "dino_base", "dino_tiny", "sam", "clip"):
        if bench.has_time(10, network=name):
            bench.attempt(partial(rates.measure, bench, name), network=name)


def large_painter(bench: Bench) -> None:
    """Measure Stable Diffusion XL."""
    rates.measure(bench, "sdxl")


def real_steps(bench: Bench) -> None:
    """Run steps with everything loaded on one card; then let a pass not fit."""
    families = {name: bench.load(name) for name in ("sd15", "ip2p", *LABELLERS)}
    bench.add(loaded=list(families), weights_bytes=bench.allocated())
    bench.attempt(partial(steps.measure_busy, bench, families), work="busy")
    if bench.has_time(10, work="halving"):
        bench.attempt(partial(steps.measure_halving, bench, families["sd15"]), work="halving")
    steps.let_go()


def sparing(bench: Bench) -> None:
    """Measure what saves memory."""
    painting.try_ways(bench, [way for way in painting.WAYS if not way.startswith("compile")])


def compiled(bench: Bench) -> None:
    """Measure the compiled denoiser."""
    painting.try_ways(bench, ["compile: true"])


def shared(bench: Bench) -> None:
    """Measure two roles on one card."""
    sharing.measure(bench, sharing.SECONDS if bench.on_cuda else 0.1)


PARTS: dict[str, tuple[Part, float]] = {
    "right": (right_on_the_device, 60),
    "painters": (painters, 110),
    "steps": (real_steps, 90),
    "labellers": (labellers, 90),
    "sparing": (sparing, 70),
    "shared": (shared, 100),
    "large": (large_painter, 90),
    "compiled": (compiled, 120),
}
"""What runs, and the seconds after which it starts nothing more."""
