"""The results in docs/benchmarks.md, between two comments in a section of their own."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import PUBLISHED_NAMES
from benchmarks.page import PAGE, to_table

BEGIN, END = "<!-- gpu -->", "<!-- /gpu -->"
COMMAND = "python -m benchmarks.gpu"
GIB = 2**30
Row = dict[str, Any]


def write_page(found: Row, page: Path = PAGE) -> None:
    """Put the results between its two comments in the page, or at its end."""
    text = page.read_text(encoding="utf-8")
    section = f"{BEGIN}\n{tell(found).strip()}\n{END}"
    marked = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
    if marked.search(text):
        text = marked.sub(lambda _: section, text)
    else:
        text = f"{text.rstrip()}\n\n## On a GPU\n\n{section}\n"
    page.write_text(text, encoding="utf-8")


def tell(found: Row) -> str:
    """Return the results as Markdown; what was not measured is not there."""
    parts = found["parts"]
    rates = [row for name in ("painters", "labellers", "large") for row in parts.get(name, [])]
    sections = [
        _tell_machine(found["machine"]),
        _section("Speed against a plain loop", SPEED, _rates(rates)),
        _section("Weights", WEIGHTS, _weights(rates)),
        _section("The same image in other company", COMPANY, _company(rates)),
        _section("What saves memory", WAYS, _ways([*_of(parts, "sparing", "compiled")])),
        _section("Steps", STEPS, _steps(parts.get("steps", []))),
        _section("A pass that does not fit", HALVED, _halved(parts.get("steps", []))),
        _section("Two roles on one card", SHARED, _shared(parts.get("shared", []))),
        _section("The micro profile against the CPU", MICRO, _micro(parts.get("right", []))),
    ]
    return "\n\n".join(section for section in sections if section)


SPEED = """\
Images per second of the factory's family, then of a loop over the same modules as a person writes
it after the model's card; both in one process, by turns. Peaks are of one pass, weights included:
what tensors took, and what torch reserved, which is what `device_memory_share` limits."""
WEIGHTS = "What the weights take of the card, and how long they load from a file in memory."
COMPANY = "Levels of 255 by which the same prompt and seed differ."
WAYS = "Stable Diffusion 1.5, four images in a pass; the first pass includes compiling."
STEPS = """\
Two labels of eight images down the whole chain by the real step code over SQLite and files, one
step after the other in one process, without broker: what the models take of a step's time."""
HALVED = "The share is between what a pass of 16 and one of 8 reserve."
SHARED = "Each role is a process with 0.4 of the card's memory, alone and at once."
MICRO = "float32 on both; TF32: whether convolutions may use TensorFloat-32, as torch lets them."


def _tell_machine(machine: Row) -> str:
    card = machine["card"]
    name = (
        f"{card['name']} ({card['memory.total']}, driver {card['driver_version']})" if card else ""
    )
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return f"""\
By `{COMMAND}` on {machine["day"]}: {name or "a CPU"}, torch {machine["torch"]}, {packages}.

Networks of the published sizes with random weights: speed and memory are theirs, what they paint is
noise. Passes of {machine.get("steps", "few")} denoising steps, if nothing else is said."""


def _section(title: str, words: str, table: tuple[tuple[str, ...], list[list[object]]]) -> str:
    heads, rows = table
    return f"### {title}\n\n{words}\n\n{to_table(heads, rows)}" if rows else ""


def _of(parts: Row, *names: str) -> Iterable[Row]:
    return [row for name in names for row in parts.get(name, [])]


def _rates(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = (
        *("network", "precision", "images in a pass", "images/s", "plain loop", "times plain"),
        *("peak, GiB", "reserved, GiB"),
    )
    return heads, [
        [
            PUBLISHED_NAMES[row["network"]] + (f", {row['work']}" if "work" in row else ""),
            row["dtype"],
            row["batch"],
            _number(row["images_per_s"]),
            _number(row.get("plain_images_per_s")),
            _number(row.get("times_plain")),
            _gib(row.get("peak_bytes")),
            _gib(row.get("reserved_bytes")),
        ]
        for row in rows
        if "images_per_s" in row
    ]


def _weights(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("network", "precision", "weights, GiB", "loading, s")
    return heads, [
        [
            PUBLISHED_NAMES[row["network"]],
            row["dtype"],
            _gib(row["weights_bytes"]),
            f"{row['load_s']:.1f}",
        ]
        for row in rows
        if "load_s" in row
    ]


def _company(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("network", "precision", "compared", "most", "mean", "values that differ")
    return heads, [
        [
            PUBLISHED_NAMES[row["network"]],
            row["dtype"],
            row["pair"],
            row["max_levels"],
            f"{row['mean_levels']:.3f}",
            _share(row["differing_values"], row["values"]),
        ]
        for row in rows
        if "pair" in row
    ]


def _ways(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("setting", "images/s", "first pass, s", "at rest, GiB", "peak, GiB", "reserved, GiB")
    return heads, [
        [
            row["way"],
            _number(row["images_per_s"]),
            f"{row['first_s']:.1f}",
            *map(_gib, (row["at_rest_bytes"], row.get("peak_bytes"), row.get("reserved_bytes"))),
        ]
        for row in rows
        if "way" in row and "images_per_s" in row
    ]


def _steps(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("step", "seconds", "in the models, %", "card busy by its driver, %")
    return heads, [
        [
            row["step"],
            f"{row['seconds']:.1f}",
            f"{100 * row['models_share']:.0f}",
            f"{100 * row['driver_busy_share']:.0f}" if "driver_busy_share" in row else "",
        ]
        for row in rows
        if "step" in row
    ]


def _halved(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("pass of", "share", "found to fit", "images made", "given up", "seconds")
    return heads, [
        [
            row["pass_of"],
            f"{row['share']:.3f}",
            row["fitting"],
            row["candidates"].get("generated", 0),
            row["quarantined"],
            _number(row["seconds"]),
        ]
        for row in rows
        if "pass_of" in row
    ]


def _shared(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    heads = ("role's network", "together with", "images/s", "reserved, GiB")
    return heads, [
        [
            PUBLISHED_NAMES[row["network"]],
            ", ".join(PUBLISHED_NAMES[name] for name in row["beside"]) or "nothing",
            _number(row["images_per_s"]),
            _gib(row["reserved_bytes"]),
        ]
        for row in rows
        if "images_per_s" in row
    ]


def _micro(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[list[object]]]:
    hidden = {"work", "tf32"}
    return ("work", "TF32", "against the CPU"), [
        [
            row["work"],
            "yes" if row["tf32"] else "no",
            ", ".join(f"{name} {_plain(row[name])}" for name in row if name not in hidden),
        ]
        for row in rows
        if "work" in row and "tf32" in row
    ]


def _plain(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _gib(value: int | None) -> str:
    return "" if value is None else f"{value / GIB:.2f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"
