"""Each network: speed of the factory against a plain loop, and memory."""

from dataclasses import replace
from typing import Any

from benchmarks.gpu.bench import DTYPES, Bench
from benchmarks.gpu.loops import Loops, draw_pictures, loops_of, prompts_of

ROUNDS = 2
WARM_UP_STEPS = 2
OTHER_DTYPES = {
    "sd15": ("bfloat16",),
    "blip2": ("bfloat16",),
    "dino_base": ("bfloat16",),
    "sam": ("float16", "bfloat16"),
    "clip": ("float16",),
}
"""What is measured besides the profiles' own precision, without a plain loop."""
OTHER_BATCH = 4
PROFILES = {"sd15": (50, 4), "ip2p": (50, 4), "sdxl": (40, 2)}
"""Denoising steps of the profiles, and the images that travel together there."""


def measure(bench: Bench, name: str) -> Any:  # noqa: ANN401 (a family)
    """Measure a network in its own precision, then in others; return the family."""
    family = _load(bench, name, DTYPES[name])
    loops = loops_of(name, family, _side_px(bench, name), bench.device)
    _warm_up(bench, name, family)
    passes = [0.0]
    for batch in bench.batches:
        what = {"network": name, "dtype": family.config.dtype, "batch": batch}
        if bench.has_time(passes[-1] * 6, **what):
            bench.attempt(lambda what=what: passes.append(_by_turns(bench, loops, what)), **what)  # type: ignore[misc]
    if bench.on_cuda and name in PROFILES and bench.has_time(30, network=name, work="profile"):
        _measure_profile(bench, name, family)
    if name == "sd15":
        _measure_fill(bench, family)
    for dtype in OTHER_DTYPES.get(name, ()):
        what = {"network": name, "dtype": dtype}
        if bench.on_cuda and bench.has_time(20, **what):
            bench.attempt(lambda dtype=dtype: _measure_other(bench, name, dtype), **what)  # type: ignore[misc]
    return family


def _load(bench: Bench, name: str, dtype: str) -> Any:  # noqa: ANN401
    """Return a family; what its weights take is kept."""
    save_s = bench.seconds(lambda: bench.checkpoint(name))
    before = bench.allocated()
    loaded: list[Any] = []
    dtype = dtype if bench.on_cuda else "float32"
    load_s = bench.seconds(lambda: loaded.append(bench.load(name, dtype)))
    bench.add(
        network=name,
        dtype=dtype,
        load_s=load_s,
        save_s=save_s,
        weights_bytes=bench.allocated() - before,
    )
    return loaded[0]


def _side_px(bench: Bench, name: str) -> int:
    return bench.sizes.side_px * (2 if name == "sdxl" else 1)


def _warm_up(bench: Bench, name: str, family: Any) -> None:  # noqa: ANN401
    """Let the libraries choose their kernels."""
    if name in PROFILES:
        steps = {"num_inference_steps": WARM_UP_STEPS}
        family = replace(family, config=family.config.model_copy(update=steps))
    loops = loops_of(name, family, _side_px(bench, name), bench.device)
    for batch in bench.batches[:2]:
        loops.factory(batch)
        loops.plain(batch)


def _by_turns(bench: Bench, loops: Loops, what: dict[str, Any]) -> float:
    """Measure both loops by turns; return the seconds of one pass."""
    batch, factory, plain = what["batch"], [], []
    with bench.peak() as memory:
        factory.append(bench.seconds(lambda: loops.factory(batch)))
    plain.append(bench.seconds(lambda: loops.plain(batch)))
    for turn in range(ROUNDS):
        pair = [(factory, loops.factory), (plain, loops.plain)]
        for times, work in pair if turn % 2 else reversed(pair):
            times.append(bench.seconds(lambda work=work: work(batch)))  # type: ignore[misc]
    # The first of each has met this shape for the first time.
    factory_s, plain_s = min(factory[1:]), min(plain[1:])
    bench.add(
        **what,
        images_per_s=batch / factory_s,
        plain_images_per_s=batch / plain_s,
        times_plain=plain_s / factory_s,
        first_s=factory[0],
        **memory,
    )
    return factory_s


def _measure_profile(bench: Bench, name: str, family: Any) -> None:  # noqa: ANN401
    """Measure a pass with as many steps as the profile takes."""
    steps, batch = PROFILES[name]
    update = {"num_inference_steps": steps}
    full = replace(family, config=family.config.model_copy(update=update))
    loops = loops_of(name, full, _side_px(bench, name), bench.device)
    with bench.peak() as memory:
        seconds = bench.seconds(lambda: loops.factory(batch))
    bench.add(
        network=name,
        work=f"{steps} steps",
        dtype=full.config.dtype,
        batch=batch,
        images_per_s=batch / seconds,
        **memory,
    )


def _measure_fill(bench: Bench, family: Any) -> None:  # noqa: ANN401
    """Measure a pass of fills."""
    side = bench.sizes.side_px
    pictures = draw_pictures(side)[:OTHER_BATCH]
    masks = [picture[..., 0] < 0 for picture in pictures]
    for mask in masks:
        mask[side // 4 : side // 2, side // 4 : side // 2] = True

    def fill() -> object:
        """Fill a quarter of each side of four images."""
        return family.fill(pictures, masks, prompts_of(OTHER_BATCH), range(OTHER_BATCH))

    with bench.peak() as memory:
        first_s = bench.seconds(fill)
    seconds = bench.seconds(fill)
    bench.add(
        network="sd15",
        work="fill",
        dtype=family.config.dtype,
        batch=OTHER_BATCH,
        images_per_s=OTHER_BATCH / seconds,
        first_s=first_s,
        **memory,
    )


def _measure_other(bench: Bench, name: str, dtype: str) -> None:
    """Measure the factory's loop alone in another precision."""
    family = _load(bench, name, dtype)
    loops = loops_of(name, family, _side_px(bench, name), bench.device)
    with bench.peak() as memory:
        first_s = bench.seconds(lambda: loops.factory(OTHER_BATCH))
    seconds = min(bench.seconds(lambda: loops.factory(OTHER_BATCH)) for _ in range(ROUNDS))
    bench.add(
        network=name,
        dtype=dtype,
        batch=OTHER_BATCH,
        images_per_s=OTHER_BATCH / seconds,
        first_s=first_s,
        **memory,
    )
