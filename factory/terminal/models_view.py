"""Models of a profile in words and as a table: what they need, and what a trial of them took."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from chatgenimage.factory.checkpoints.inventory import ModelRequirement
    from chatgenimage.workers.trial import PassTime, TrialResult

SHOWN_COMMIT = 8
GIGABYTE = 10**9


def models_table(needs: Iterable["ModelRequirement"]) -> Table:
    """Return the models with their checkpoints, licences and sizes, a line each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("model", "roles", "family", "checkpoint", "revision", "licence"):
        table.add_column(name)
    for name in ("download", "on the device"):
        table.add_column(name, justify="right")
    table.add_column("place")
    for need in needs:
        table.add_row(
            need.key,
            ", ".join(need.roles),
            need.family,
            need.checkpoint,
            (need.revision or "-")[:SHOWN_COMMIT],
            need.licence or "-",
            _gigabytes(need.download_bytes),
            _gigabytes(need.device_bytes),
            _place(need),
        )
    return table


def model_lines(need: "ModelRequirement") -> Text:
    """Return a model in two lines, for a screen too narrow for the table."""
    revision = f" @ {need.revision[:SHOWN_COMMIT]}" if need.revision else ""
    text = Text(f"{need.key}: {need.family} {need.checkpoint}{revision}\n")
    facts = [
        f"for {', '.join(need.roles)}",
        need.licence or "licence unknown",
        f"download {_gigabytes(need.download_bytes)}",
        f"on the device {_gigabytes(need.device_bytes)}",
        _place(need),
    ]
    return text.append(f"  {'; '.join(facts)}", style="dim")


def _place(need: "ModelRequirement") -> str:
    """Return where a model is, and what a service costs."""
    return f"{need.place}: {need.price}" if need.price else str(need.place)


def licence_lines(needs: Iterable["ModelRequirement"]) -> Iterator[Text]:
    """Yield the licence of each model that is not here yet, before anything is downloaded."""
    from chatgenimage.factory.checkpoints.inventory import WeightsLocation

    absent = [need for need in needs if need.place is WeightsLocation.ABSENT]
    for need in absent:
        licence = need.licence or "licence not known; read the model's page"
        yield Text(f"{need.key:<14} {need.checkpoint}: {licence}")
    yield from condition_lines(absent)


def condition_lines(needs: Iterable["ModelRequirement"]) -> Iterator[Text]:
    """Yield a line for each licence with a condition."""
    for need in needs:
        if need.condition:
            yield Text(f"{need.checkpoint}: {need.condition}.", style="yellow")


def unpinned_line(needs: Iterable["ModelRequirement"]) -> Iterator[Text]:
    """Yield a line about models whose exact weights the profile does not name."""
    if names := [need.key for need in needs if not need.is_pinned]:
        yield Text(
            f"Not pinned to a commit: {', '.join(names)}. `factory models pull PROFILE --lock "
            "mine.yaml` writes a copy with the downloaded ones.",
            style="dim",
        )


def memory_in_words(needs: Sequence["ModelRequirement"]) -> str:
    """Return the device memory of one worker for all roles, and of each role's own worker."""
    from chatgenimage.factory.checkpoints.memory import needed_bytes, needs_of

    roles = dict.fromkeys(role for need in needs if need.device_bytes for role in need.roles)
    alone = [f"{role} {_gigabytes(needed_bytes(needs_of(needs, [role])))}" for role in roles]
    if not alone:
        return ""
    together = _gigabytes(needed_bytes(needs))
    return (
        f"Weights and one image on the device, calculated: {together} in one worker for all roles; "
        f"in a worker for each: {', '.join(alone)}. The driver takes about 0.5 GB per process."
    )


def trial_in_words(outcome: "TrialResult | str") -> Text:
    """Return what one item took on a model; a text is why it failed."""
    if isinstance(outcome, str):
        return Text(f"failed: {outcome}", style="red")
    return Text(
        f"{outcome.made}; loaded in {outcome.load_s:.1f} s, worked {outcome.work_s:.1f} s, "
        f"peak {_gigabytes(outcome.memory_bytes)} on {outcome.device}"
    )


def times_in_words(outcome: "Sequence[PassTime] | str") -> Text:
    """Return the speed and memory of passes by their size; a text is why they failed."""
    if isinstance(outcome, str):
        return Text(f"failed: {outcome}", style="red")
    return Text(
        "; ".join(
            f"{time.size}: {time.images_per_s:.2f} images/s, {_gigabytes(time.memory_bytes)}"
            for time in outcome
        )
    )


def _gigabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / GIGABYTE:.{3 if size < GIGABYTE else 2}f} GB"
