"""Short form of `make chaos`, and tests that the suite detects losses and duplicates."""

import os

import pytest

from tests.chaos import campaign, faults
from tests.chaos.deployment import FEW_LABELS

WITHOUT_KEY = "ALTER TABLE candidate DROP CONSTRAINT uq_candidate_label_id_key"

LEAST_FAULTS = 4


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The candidates of a run without faults."""
    return campaign.undisturbed(tmp_path_factory.mktemp("chaos") / "u", labels=FEW_LABELS)


def test_nothing_is_lost_and_nothing_done_twice_under_fire(tmp_path, expected, postgres):
    struck = 0
    for seed in range(7, 15):  # the number of faults in a run depends on the machine's speed
        played = campaign.play(
            tmp_path / f"{seed}",
            campaign.POSTGRES,
            seed,
            expected,
            most=8,
            submit_kills=1,
            alone_share=0.0,
            postgres=postgres,
            disk=os.geteuid() == 0,
            labels=FEW_LABELS,
        )
        assert played.outcome.problems == []
        struck += len(played.faults)
        if struck >= LEAST_FAULTS:
            return
    raise AssertionError(f"only {struck} faults occurred")


@pytest.mark.parametrize(
    "setting",
    [
        (campaign.FLEET, faults.SPOILED | faults.REFUSED | faults.CLOCKS | faults.FOREIGN_MESSAGES),
        (campaign.POSTGRES, faults.SILENT | faults.IN_TRANSACTION),
    ],
    ids=["SQLite", "PostgreSQL"],
)
def test_nothing_stops_for_ever(tmp_path, expected, postgres, setting):
    kind, deck = setting
    if not kind.clocks:
        deck = {name: strike for name, strike in deck.items() if name not in faults.CLOCKS}
    struck = set()
    for seed in range(21, 27):
        left = {name: strike for name, strike in deck.items() if name not in struck}
        played = campaign.play(
            tmp_path / f"{seed}",
            kind,
            seed,
            expected,
            most=len(left),
            submit_kills=0,
            alone_share=0.0,
            postgres=postgres,
            labels=FEW_LABELS,
            deck=left,
        )
        assert played.outcome.problems == []
        struck.update(fault.kind for fault in played.faults)
        if struck == deck.keys():
            return
    raise AssertionError(f"only {struck} occurred")


def test_without_the_sweeper_the_harness_sees_a_run_that_never_ends(tmp_path, expected):
    played = campaign.play(
        tmp_path / "c",
        campaign.FLEET,
        1,
        expected,
        most=3,
        labels=FEW_LABELS,
        submit_kills=0,
        mutant="no_sweeper",
        deck={"Redis flushed": faults.flush_redis},
        patience_s=10,
    )
    assert played.outcome.lost
    assert any("does not end" in problem for problem in played.outcome.broken)


def test_without_the_fence_and_the_unique_key_the_harness_sees_double(tmp_path, expected, postgres):
    for seed in range(1, 6):  # a busy machine may take over only when the frozen process is awake
        played = campaign.play(
            tmp_path / f"{seed}",
            campaign.POSTGRES,
            seed,
            expected,
            most=1,
            postgres=postgres,
            labels=FEW_LABELS,
            submit_kills=0,
            mutant="no_fence",
            schema_change=WITHOUT_KEY,
            deck={"frozen": faults.freeze_with_file},
        )
        if any(problem.startswith("candidate") for problem in played.outcome.doubled):
            return
    raise AssertionError("nothing was done twice")
