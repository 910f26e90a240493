"""Stable Diffusion 1.5: the same image in other company, and what the settings cost."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.loops import draw_pictures, prompts_of
from chatgenimage.workers.values import RgbImage

TOGETHER = 8
ALONE = 3
BATCH = 4
WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "offload: model": {"offload": "model"},
    "offload: sequential": {"offload": "sequential"},
    "compile: true": {"compile": True},
}


def compare_company(bench: Bench, name: str, family: Any) -> None:  # noqa: ANN401
    """Paint images together, together again, and alone; keep how far they differ."""
    pictures = draw_pictures(bench.sizes.side_px)

    def paint(places: Sequence[int]) -> list[RgbImage]:
        """Return the images of these prompts, painted or edited in one batch."""
        prompts = prompts_of(TOGETHER)
        chosen, seeds = [prompts[place] for place in places], list(places)
        if name == "ip2p":
            edited: list[RgbImage] = family.edit([pictures[i] for i in places], chosen, seeds)
            return edited
        painted: list[RgbImage] = family.generate(chosen, seeds)
        return painted

    together = paint(range(TOGETHER))
    again = paint(range(TOGETHER))
    alone = [paint([place])[0] for place in range(ALONE)]
    what = {"network": name, "dtype": family.config.dtype}
    spread = float(np.std(together[0]))
    bench.add(**what, pair="twice the same pass", spread=spread, **difference(together, again))
    pair = f"alone, and among {TOGETHER}"
    bench.add(**what, pair=pair, spread=spread, **difference(together[:ALONE], alone))


def difference(ones: Sequence[RgbImage], others: Sequence[RgbImage]) -> dict[str, Any]:
    """Return how far images differ, in levels of 255."""
    pairs = list(zip(ones, others, strict=True))
    far = np.stack([np.abs(one.astype(int) - other.astype(int)) for one, other in pairs])
    return {
        "images": len(far),
        "max_levels": int(far.max()),
        "mean_levels": float(far.mean()),
        "differing_values": int((far > 0).sum()),
        "values": int(far.size),
    }


def try_ways(bench: Bench, wanted: Sequence[str], name: str = "sd15") -> None:
    """Load Stable Diffusion in several ways and measure a pass of each, and a fill."""
    for way in wanted:
        if bench.has_time(15, network=name, way=way):
            bench.attempt(partial(_try_way, bench, name, way), network=name, way=way)


def _try_way(bench: Bench, name: str, way: str) -> None:
    family = bench.load(name, **WAYS[way])
    prompts, seeds = prompts_of(BATCH), list(range(BATCH))
    first_s = bench.seconds(lambda: family.generate(prompts, seeds))
    at_rest = bench.allocated()
    with bench.peak() as memory:
        seconds = bench.seconds(lambda: family.generate(prompts, seeds))
    seconds = min(seconds, bench.seconds(lambda: family.generate(prompts, seeds)))
    bench.add(
        network=name,
        way=way,
        batch=BATCH,
        images_per_s=BATCH / seconds,
        first_s=first_s,
        at_rest_bytes=at_rest,
        **memory,
    )
    if not WAYS[way].get("compile"):
        bench.add(network=name, fill=way, changes_only_the_mask=_fill_is_clean(bench, family))
    elif bench.has_time(60, network=name, way=f"{way}, another size of pass"):
        half = BATCH // 2
        second_s = bench.seconds(lambda: family.generate(prompts[:half], seeds[:half]))
        bench.add(network=name, another_size_of_pass_s=second_s)


def _fill_is_clean(bench: Bench, family: Any) -> bool:  # noqa: ANN401
    """Return whether a fill works this way too and leaves the rest of the image alone."""
    side = bench.sizes.side_px
    picture = draw_pictures(side, count=1)[0]
    mask = np.zeros((side, side), dtype=bool)
    mask[side // 4 : side // 2, side // 4 : side // 2] = True
    (filled,) = family.fill([picture], [mask], prompts_of(1), [0])
    return bool((filled[~mask] == picture[~mask]).all() and (filled[mask] != picture[mask]).any())
