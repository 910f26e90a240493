"""Report of the campaign: tables of faults, losses, duplicates and recovery times."""

import os
import platform
import statistics
import time
from collections import Counter, defaultdict
from importlib.metadata import version

from chatgenimage.tasks.chain import QUEUES
from tests.chaos.deployment import LABELS, PER_LABEL, PROFILE

STEPS = (*QUEUES, "submit", "-")


def to_page(played, seconds):
    """Return docs/chaos.md."""
    return _totals(played, seconds) + _method() + _equality(played) + _tables(played)


def _totals(played, seconds):
    """Return the title, and the numbers of faults, losses and duplicates of all runs."""
    count = sum(len(scenario.faults) for scenario in played)
    lost = sum(len(scenario.outcome.lost) for scenario in played)
    doubled = sum(len(scenario.outcome.doubled) for scenario in played)
    broken = sum(len(scenario.outcome.broken) for scenario in played)
    return f"""\
# Chaos tests of the queue

Written by `make chaos`: {count} seeded faults in {len(played)} runs,
**{lost} lost, {doubled} duplicated**, {broken} other problems.
It took {seconds / 60:.0f} minutes on {time.strftime("%Y-%m-%d")}: {platform.system()} \
{platform.machine()}, {os.cpu_count()} cores,
load average {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}, Celery \
{version("celery")}.

"""


def _method():
    """Return what a run does, and what is checked after it."""
    return f"""\
Each run makes {len(LABELS) * PER_LABEL} images of {len(LABELS)} labels and everything derived \
from them, through the
real commands (`factory run`, `factory submit`, `factory worker`), the real chain, database, broker
and image store. Only the model families are stand-ins, which are deterministic and cost nothing.
Leases are short (`tests/chaos/{PROFILE.name}`), so that minutes show what would otherwise take
hours. After each run:

- it ended by itself: every batch is done, no step is running, and nothing is given up except items
  whose image a fault damaged or removed;
- every candidate, annotation, score, scene, placement and prompt exists once;
- every image has its row and every row its image with the right checksum; partly written files of
  killed processes were set aside by the repair of `factory doctor`;
- each candidate (pixels, seed, prompt, parent, caption, boxes, masks, scores, verdict) is equal to
  that of a run without faults, and so is the accepted set. If an image was damaged or removed,
  this holds for all other batches; in its own batch the verdicts may differ, because filters rank
  the images of a batch, and near-duplicates in other batches may differ in which one is kept.

"""


def _equality(played):
    """Return what is equal after a fault, and the attempts that the faults cost."""
    repeated = sum(scenario.outcome.repeated for scenario in played)
    return f"""\
## What is equal after a fault

Rows, prompts, seeds, parents and their order follow from the seed of the run and are always equal.
The pixels are equal if the models give an image the same pixels alone and in a batch, as the
stand-ins of this suite do. Real networks do so only up to rounding: an item that is tried again
runs alone, and its image then differs from the one of an undisturbed run by at most one level of
255 in a few pixels (with the micro models, 9 of 57 images after several kills; all verdicts were
equal). A score that is within this rounding of its threshold may give another verdict. A pass is
not repeated as it was: that would need the other items of the pass to be computed again, and an
item that kills its process would take them with it each time.

{repeated} item attempts were repeated, which is the only cost of the faults. The suite would \
detect a loss
or a duplicate: with the sweeper disabled, and with the fence and the unique key removed, it
reports problems (`tests/chaos/test_chaos.py`).

"""


def _tables(played):
    """Return the tables by deployment, by kind of fault and by step."""
    every = [(fault, scenario) for scenario in played for fault in scenario.faults]
    return f"""\
## By deployment

| deployment | runs | faults | lost | duplicated |
|---|---|---|---|---|
{_deployments(played)}

## By kind of fault

`lost` and `duplicated` count the problems of the runs in which a kind of fault occurred. Recovery
time: from the fault until the affected step was done, if no other fault occurred meanwhile
({_alone(every)} of {len(every)} faults). It includes the start of a new process.

| fault | faults | lost | duplicated | recovered, median s | max s |
|---|---|---|---|---|---|
{_kinds(every)}

## By step

Number of faults by the step that the affected batch was in; `-`: no step was running.

| fault | {" | ".join(STEPS)} |
|---|{"---|" * len(STEPS)}
{_matrix(every)}
"""


def _deployments(played):
    by_name = defaultdict(list)
    for scenario in played:
        by_name[scenario.setting.name].append(scenario)
    return "\n".join(
        f"| {name} | {len(group)} | {sum(len(s.faults) for s in group)} "
        f"| {sum(len(s.outcome.lost) for s in group)} "
        f"| {sum(len(s.outcome.doubled) for s in group)} |"
        for name, group in by_name.items()
    )


def _kinds(every):
    by_kind = defaultdict(list)
    for fault, scenario in every:
        by_kind[fault.kind].append((fault, scenario))
    rows = []
    for kind, struck in sorted(by_kind.items()):
        runs = {id(scenario): scenario.outcome for _, scenario in struck}.values()
        times = [fault.recovered_s for fault, _ in struck if fault.recovered_s is not None]
        median, most = (
            (f"{statistics.median(times):.1f}", f"{max(times):.1f}") if times else ("", "")
        )
        lost = sum(len(outcome.lost) for outcome in runs)
        doubled = sum(len(outcome.doubled) for outcome in runs)
        rows.append(f"| {kind} | {len(struck)} | {lost} | {doubled} | {median} | {most} |")
    return "\n".join(rows)


def _matrix(every):
    counts = Counter((fault.kind, fault.step or "-") for fault, _ in every)
    kinds = sorted({kind for kind, _ in counts})
    return "\n".join(
        f"| {kind} | {' | '.join(str(counts[kind, step] or '') for step in STEPS)} |"
        for kind in kinds
    )


def _alone(every):
    return sum(fault.recovered_s is not None for fault, _ in every)
