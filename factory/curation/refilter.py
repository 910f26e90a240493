"""Refilter: a run judged again from its stored scores, without a model and without an image."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from chatgenimage.db import verdicts
from chatgenimage.db.fingerprints import Scope
from chatgenimage.db.models import Rejudging, Run
from chatgenimage.db.states import RunState, Verdict
from chatgenimage.db.verdicts import Change, JudgedCandidate, Limit
from chatgenimage.factory.curation.duplicates import open_album, write_twins
from chatgenimage.factory.curation.reviews import name_person
from chatgenimage.factory.errors import RunUnfinished
from chatgenimage.tasks.duplicates import Twin
from chatgenimage.tasks.filter_rules import (
    CLIP_RANK,
    DERIVED,
    IMAGE_MISSING,
    RULES,
    Judgement,
    Limits,
    Measured,
    judge_families,
    judge_twin,
    thresholds_of,
)
from chatgenimage.tasks.options import RunOptions

Transition = tuple[str, Verdict, str | None, Verdict, str | None]
"""Label, verdict and reason before, verdict and reason after."""


@dataclass(slots=True)
class Preview:
    """What other thresholds would change.

    Attributes:
        limits: The thresholds that change, before and after, by score.
        transitions: How many candidates change how.
        childless: Newly accepted candidates that a further round would have varied, but did not:
            judging again makes no images.
    """

    limits: Mapping[str, tuple[float, float]]
    transitions: Counter[Transition] = field(default_factory=Counter)
    accepted_before: int = 0
    accepted_after: int = 0
    judged: int = 0
    childless: int = 0


def limits_in_force(session: Session, run: Run) -> Limits:
    """Return the thresholds that a run's verdicts follow from."""
    submitted = submitted_limits(run)
    last = verdicts.find_last_rejudging(session, run.id)
    return {**submitted, **last.limits} if last else submitted


def submitted_limits(run: Run) -> Limits:
    """Return the thresholds that a run was submitted with."""
    return thresholds_of(options_of(run).thresholds)


def options_of(run: Run) -> RunOptions:
    """Return what a run was submitted with, as far as it shapes results."""
    return RunOptions.model_validate(run.profile)


def preview(session: Session, run: Run, limits: Limits) -> Preview:
    """Return what these thresholds would change; nothing is written."""
    seen = _nothing_yet(limits_in_force(session, run), limits)
    twins = _find_twins(session, run, limits)
    for page in verdicts.iter_judged(session, run.id):
        changes, _ = _judge_page(page, limits, twins)
        _count(seen, page, changes, _rounds_of(run))
    return seen


def refilter(session: Session, run: Run, limits: Limits) -> Preview:
    """Write verdicts, ranks and thresholds, remember what was there before, and return the same.

    Args:
        session: An open transaction; all of it is written, or nothing.
        run: One that no worker will judge any more.
        limits: The threshold of every rule.

    Raises:
        RunUnfinished: If the run is still being made.
    """
    if run.state not in {RunState.DONE, RunState.CANCELLED}:
        raise RunUnfinished(
            f"run {run.id} is {run.state}: what is judged later would follow other thresholds. "
            "Wait until it is done or cancel it; --dry-run shows already what would change."
        )
    before = limits_in_force(session, run)
    seen = _nothing_yet(before, limits)
    made = Rejudging(run_id=run.id, author=name_person(), limits=dict(limits))
    session.add(made)
    session.flush()
    twins = _find_twins(session, run, limits)
    for page in verdicts.iter_judged(session, run.id):
        changes, ranks = _judge_page(page, limits, twins)
        verdicts.write_changes(session, made, changes)
        verdicts.write_ranks(session, CLIP_RANK.name, ranks)
        _count(seen, page, changes, _rounds_of(run))
    write_twins(session, Scope(run.id), twins, limits)
    for origin, rules in RULES.items():
        for rule in rules:
            limit = Limit(origin, rule.name, limits[rule.name], rule.at_most)
            verdicts.write_limit(session, run.id, limit)
    return seen


def measured_of(page: Sequence[JudgedCandidate]) -> list[Measured]:
    """Return candidates as judging sees them; those whose file is gone are left as they are."""
    return [
        Measured(c.candidate_id, c.origin, c.parent_id, _without_derived(c.scores))
        for c in page
        if c.reason != IMAGE_MISSING
    ]


def judge_page(
    page: Sequence[JudgedCandidate], limits: Limits, twins: Mapping[int, Twin]
) -> dict[int, Judgement]:
    """Return the judgement of each candidate by id; `twins` says whom it resembles."""
    judged = judge_families(measured_of(page), limits)
    for key in judged.keys() & twins.keys():
        judged[key] = judge_twin(judged[key], twins[key].similarity, limits)
    return judged


def good_by_themselves(pages: Iterable[Sequence[JudgedCandidate]], limits: Limits) -> set[int]:
    """Return who passes every rule but that for near-duplicates."""
    return {
        key
        for page in pages
        for key, judgement in judge_families(measured_of(page), limits).items()
        if judgement.verdict is Verdict.ACCEPTED
    }


def _find_twins(session: Session, run: Run, limits: Limits) -> dict[int, Twin]:
    album = open_album(session, Scope(run.id), options_of(run))
    if not album.doubtful:
        return {}
    good = good_by_themselves(verdicts.iter_judged(session, run.id), limits)
    return album.twins(good, limits)


def _nothing_yet(before: Limits, after: Limits) -> Preview:
    changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    return Preview(changed)


def _rounds_of(run: Run) -> int:
    return options_of(run).chain.rounds


def _judge_page(
    page: Sequence[JudgedCandidate], limits: Limits, twins: Mapping[int, Twin]
) -> tuple[list[Change], dict[int, int | None]]:
    """Return the verdicts and the ranks that change."""
    judged = judge_page(page, limits, twins)
    changes: list[Change] = []
    ranks: dict[int, int | None] = {}
    for old in page:
        new = judged.get(old.candidate_id)
        if new is None:
            continue
        if (new.verdict, new.reason) != (old.verdict, old.reason):
            verdicts = (old.verdict, old.reason, new.verdict, new.reason)
            changes.append(Change(old.candidate_id, old.label, *verdicts))
        if new.rank != old.scores.get(CLIP_RANK.name):
            ranks[old.candidate_id] = new.rank
    return changes, ranks


def _count(
    seen: Preview, page: Sequence[JudgedCandidate], changes: Sequence[Change], rounds: int
) -> None:
    parents = {candidate.parent_id for candidate in page}
    could_vary = {c.candidate_id for c in page if c.round < rounds} - parents
    accepted = sum(candidate.verdict is Verdict.ACCEPTED for candidate in page)
    seen.judged += len(page)
    seen.accepted_before += accepted
    seen.accepted_after += accepted
    for change in changes:
        before, after = change.verdict_before, change.verdict_after
        transition = (change.label, before, change.reason_before, after, change.reason_after)
        seen.transitions[transition] += 1
        seen.accepted_after += (after is Verdict.ACCEPTED) - (before is Verdict.ACCEPTED)
        seen.childless += after is Verdict.ACCEPTED and change.candidate_id in could_vary


def _without_derived(scores: Mapping[str, float]) -> dict[str, float]:
    derived = {rule.name for rule in DERIVED}
    return {name: value for name, value in scores.items() if name not in derived}
