"""The options of a run, as the steps read them from its frozen profile."""

from chatgenimage.db.models import Run
from chatgenimage.tasks.options import run_options


def test_a_run_in_memory_is_validated_once_and_again_when_its_profile_is_another():
    run = Run(profile={"chain": {"rounds": 2}})
    options = run_options(run)
    assert options.chain.rounds == 2
    assert run_options(run) is options
    run.profile = {"chain": {"rounds": 3}}
    assert run_options(run).chain.rounds == 3
