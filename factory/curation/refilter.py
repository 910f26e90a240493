"""Refilter: a run judged again from its stored scores, without a model and without an image."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from chatgenimage.db import verdicts
from chatgenimage.db.control import hold_run
from chatgenimage.db.fingerprints import Scope
from chatgenimage.db.models import Rejudging, Run
from chatgenimage.db.states import RunState, Verdict
from chatgenimage.db.verdicts import ChangedVerdict, JudgedCandidate, ScoreLimit
from chatgenimage.factory.curation.duplicates import load_duplicates, write_duplicates
from chatgenimage.factory.curation.reviews import name_person
from chatgenimage.factory.errors import RunUnfinished
from chatgenimage.tasks.duplicates import DuplicateMatch
from chatgenimage.tasks.filter_rules import (
    CLIP_RANK,
    DERIVED,
    IMAGE_MISSING,
    RULES,
    Judgement,
    Limits,
    ScoredCandidate,
    judge_duplicate,
    judge_families,
    thresholds_of,
)
from chatgenimage.tasks.options import run_options

Transition = tuple[str, Verdict, str | None, Verdict, str | None]
"""Label, verdict and reason before, verdict and reason after."""


@dataclass(slots=True)
class RefilterPreview:
    """Changes that other thresholds would make.

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
    return thresholds_of(run_options(run).thresholds)


def preview(session: Session, run: Run, limits: Limits) -> RefilterPreview:
    """Return the changes that these thresholds would make; nothing is written."""
    seen = _nothing_yet(limits_in_force(session, run), limits)
    matches = _find_matches(session, run, limits)
    for page in verdicts.iter_judged(session, run.id):
        changes, _ = _judge_page(page, limits, matches)
        _count(seen, page, changes, _rounds_of(run))
    return seen


def refilter(session: Session, run: Run, limits: Limits) -> RefilterPreview:
    """Write verdicts, ranks and thresholds, store the verdicts before, and return the changes.

    Args:
        session: An open transaction; all of it is written, or nothing.
        run: One that is done or cancelled; it is locked, so that another refilter waits.
        limits: The threshold of every rule.

    Raises:
        RunUnfinished: If the run is still being made.
    """
    hold_run(session, run.id)
    if run.state not in {RunState.DONE, RunState.CANCELLED}:
        raise RunUnfinished(
            f"run {run.id} is {run.state}: later candidates would be judged by other thresholds. "
            "Wait until it is done or cancel it; --dry-run already shows the changes."
        )
    before = limits_in_force(session, run)
    seen = _nothing_yet(before, limits)
    made = Rejudging(run_id=run.id, author=name_person(), limits=dict(limits))
    session.add(made)
    session.flush()
    matches = _find_matches(session, run, limits)
    for page in verdicts.iter_judged(session, run.id):
        changes, ranks = _judge_page(page, limits, matches)
        verdicts.write_changes(session, made, changes)
        verdicts.write_ranks(session, CLIP_RANK.name, ranks)
        _count(seen, page, changes, _rounds_of(run))
    write_duplicates(session, Scope(run.id), matches, limits)
    for origin, rules in RULES.items():
        for rule in rules:
            limit = ScoreLimit(origin, rule.name, limits[rule.name], rule.at_most)
            verdicts.write_limit(session, run.id, limit)
    return seen


def measured_of(page: Sequence[JudgedCandidate]) -> list[ScoredCandidate]:
    """Return candidates as the rules take them, without those whose file is missing."""
    return [
        ScoredCandidate(c.candidate_id, c.origin, c.parent_id, _without_derived(c.scores))
        for c in page
        if c.reason != IMAGE_MISSING
    ]


def judge_page(
    page: Sequence[JudgedCandidate], limits: Limits, matches: Mapping[int, DuplicateMatch]
) -> dict[int, Judgement]:
    """Return the judgement of each candidate by id; `matches` has those of near-duplicates."""
    judged = judge_families(measured_of(page), limits)
    for key in judged.keys() & matches.keys():
        judged[key] = judge_duplicate(judged[key], matches[key].similarity, limits)
    return judged


def good_by_themselves(pages: Iterable[Sequence[JudgedCandidate]], limits: Limits) -> set[int]:
    """Return the candidates that pass every rule but that for near-duplicates."""
    return {
        key
        for page in pages
        for key, judgement in judge_families(measured_of(page), limits).items()
        if judgement.verdict is Verdict.ACCEPTED
    }


def _find_matches(session: Session, run: Run, limits: Limits) -> dict[int, DuplicateMatch]:
    duplicates = load_duplicates(session, Scope(run.id), run_options(run))
    if not duplicates.doubtful:
        return {}
    good = good_by_themselves(verdicts.iter_judged(session, run.id), limits)
    return duplicates.find_matches(good, limits)


def _nothing_yet(before: Limits, after: Limits) -> RefilterPreview:
    changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    return RefilterPreview(changed)


def _rounds_of(run: Run) -> int:
    return run_options(run).chain.rounds


def _judge_page(
    page: Sequence[JudgedCandidate], limits: Limits, matches: Mapping[int, DuplicateMatch]
) -> tuple[list[ChangedVerdict], dict[int, int | None]]:
    """Return the verdicts and the ranks that change."""
    judged = judge_page(page, limits, matches)
    changes: list[ChangedVerdict] = []
    ranks: dict[int, int | None] = {}
    for old in page:
        new = judged.get(old.candidate_id)
        if new is None:
            continue
        if (new.verdict, new.reason) != (old.verdict, old.reason):
            verdicts = (old.verdict, old.reason, new.verdict, new.reason)
            changes.append(ChangedVerdict(old.candidate_id, old.label, *verdicts))
        if new.rank != old.scores.get(CLIP_RANK.name):
            ranks[old.candidate_id] = new.rank
    return changes, ranks


def _count(
    seen: RefilterPreview,
    page: Sequence[JudgedCandidate],
    changes: Sequence[ChangedVerdict],
    rounds: int,
) -> None:
    """Add a page of candidates and the changes of their verdicts to the preview."""
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
