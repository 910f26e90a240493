"""Scenarios of every kind of deployment, each compared with an undisturbed run."""

import tempfile
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.chaos import faults
from tests.chaos.deployment import LABELS, Deployment
from tests.chaos.endpoint import Endpoint
from tests.chaos.outcome import Outcome, examine, remember
from tests.chaos.scenario import Scenario, Stuck
from tests.proxy import SwallowingProxy
from tests.rabbitmq import find_program
from tests.wall_clock import COMPILER

UNDISTURBED_S = 900
OF_SCENARIO = ("patience_s", "submit_kills", "alone_share", "struck_before")
OF_DEPLOYMENT = ("labels", "mutant", "schema_change")
_databases = count()


@dataclass(frozen=True)
class Setting:
    """A kind of deployment, and its faults besides those of its environment.

    Attributes:
        delivery: Options of the delivery. Items whose worker is often killed from outside need
            many attempts; failures of the environment must not cost a single attempt.
    """

    name: str
    workers: tuple[str, ...] = ()
    postgres: bool = False
    forgetful: bool = False
    speaks: bool = False
    rabbit: bool = False
    clones: bool = False
    clocks: bool = False
    faults: dict = field(default_factory=dict)
    delivery: dict = field(default_factory=dict)


DEADLY = faults.KILLS | faults.FROZEN
ONE_COMMAND = Setting(
    "factory run, SQLite, embedded broker",
    faults=DEADLY | faults.SUBMITTER,
)
FLEET = Setting(
    "2 workers, SQLite, Redis without persistence",
    ("all", "all"),
    forgetful=True,
    clocks=COMPILER is not None,
    faults=DEADLY | faults.SPOILED | faults.REFUSED | (faults.CLOCKS if COMPILER else {}),
)
POSTGRES = Setting(
    "2 workers, PostgreSQL, Redis without persistence",
    ("all", "all"),
    postgres=True,
    forgetful=True,
    clones=True,
    faults=DEADLY
    | faults.POSTGRES
    | faults.POSTGRES_CRASH
    | faults.SPOILED
    | faults.REFUSED
    | faults.SILENT
    | faults.IN_TRANSACTION,
)
LANGUAGE = Setting(
    "2 workers (threads, prefork), LLM endpoint, SQLite, embedded broker",
    ("language", "all"),
    speaks=True,
    faults=DEADLY | faults.LANGUAGE,
)
ONE_ATTEMPT = Setting(
    "2 workers, LLM endpoint, PostgreSQL; no kills, one attempt per item",
    ("language", "all"),
    postgres=True,
    forgetful=True,
    speaks=True,
    faults=faults.POSTGRES | faults.POSTGRES_CRASH | faults.LANGUAGE,
    delivery={"max_attempts": 1, "lease_s": 30.0},
)
RABBIT = Setting(
    "2 workers, SQLite, RabbitMQ",
    ("all", "all"),
    rabbit=True,
    faults=DEADLY | faults.RABBIT,
)
SETTINGS = (FLEET, POSTGRES, LANGUAGE, ONE_ATTEMPT, ONE_COMMAND) + (
    (RABBIT,) if find_program() else ()
)
KINDS = {"kill -9 factory submit", *faults.SURROUNDINGS, *faults.DISK}.union(
    *(setting.faults for setting in SETTINGS)
)
"""Every kind of fault that a campaign must show."""


def find_kind(kind):
    """Return the first setting with a kind of fault, and the fault."""
    for setting in SETTINGS:
        every = setting.faults | _surroundings(setting)
        if kind in every:
            return setting, every[kind]
    raise ValueError(f"no fault {kind!r}; there are: {', '.join(sorted(KINDS))}")


@dataclass
class Played:
    """A finished scenario."""

    setting: Setting
    seed: int
    faults: list
    outcome: Outcome


def undisturbed(folder, *, speaks=False, labels=LABELS):
    """Return every candidate of a run without faults."""
    with (
        Endpoint() if speaks else nullcontext() as endpoint,
        Deployment(folder, labels=labels, endpoint_url=endpoint and endpoint.url) as deployment,
    ):
        deployment.keep_alive()
        code = deployment.processes["run"].wait(UNDISTURBED_S)
        assert code == 0, (folder / "run.log").read_text()
        with deployment.sessions() as session:
            expected = remember(session, deployment.images)
        outcome = examine(deployment, expected)
        assert not outcome.problems, outcome.problems
        return expected


def play(folder, setting, seed, expected, *, most, postgres=None, disk=False, say=print, **options):
    """Play one scenario and return its faults and the problems found after it.

    Args:
        folder: A new folder.
        setting: The kind of deployment.
        seed: Seed of all random choices.
        expected: `undisturbed` of the same language model.
        most: Maximum number of faults.
        postgres: A running server, for the settings that use one.
        disk: Whether a disk can be filled, which needs root.
        say: Takes one line per fault.
        options: `labels`, `mutant` and `schema_change` of the deployment; `deck`,
            `patience_s`, `submit_kills`, `alone_share` and `struck_before` of the scenario.
    """
    with ExitStack() as stack:
        endpoint = stack.enter_context(Endpoint()) if setting.speaks else None
        url = _new_database(postgres) if setting.postgres else None
        proxy = stack.enter_context(_proxy(postgres)) if setting.postgres else None
        servers = {
            "database_url": url,
            "reached_by": url and url.replace(str(postgres.folder), proxy.folder),
            "endpoint_url": endpoint and endpoint.url,
        }
        chosen = {name: options[name] for name in OF_DEPLOYMENT if name in options}
        deployment = stack.enter_context(
            _deploy(folder, setting, small_disk=disk, **servers, **chosen)
        )
        every = _surroundings(setting) | (faults.DISK if disk else faults.FULL_BY_DECREE)
        scenario = Scenario(
            deployment,
            seed,
            options.get("deck", every | setting.faults),
            most=most,
            postgres=postgres,
            proxy=proxy,
            endpoint=endpoint,
            **{name: options[name] for name in OF_SCENARIO if name in options},
            say=say,
        )
        problems = _play_to_the_end(scenario)
        outcome = examine(deployment, expected)
        outcome.broken += problems
        return Played(setting, seed, scenario.faults, outcome)


def _play_to_the_end(scenario):
    """Play a scenario; return the problem if its run does not end, else no problem."""
    try:
        scenario.play()
    except Stuck as reason:
        return [f"the run does not end: {reason}"]
    return []


def _surroundings(setting):
    """Return the faults that every scenario of a setting can have."""
    return faults.SIGTERM if setting.rabbit else faults.SURROUNDINGS


def _deploy(folder, setting, **options):
    """Return a deployment of this kind; options are further ones of `Deployment`."""
    return Deployment(
        folder,
        workers=setting.workers,
        rabbit=setting.rabbit,
        clones=setting.clones,
        clocks=setting.clocks,
        forgetful=setting.forgetful,
        delivery=setting.delivery,
        **options,
    )


@contextmanager
def _proxy(postgres):
    with tempfile.TemporaryDirectory(prefix="chaos-pg-") as folder:
        proxy = SwallowingProxy(postgres.folder, Path(folder))
        try:
            yield proxy
        finally:
            proxy.stop()


def _new_database(postgres):
    name = f"chaos_{next(_databases)}"
    postgres.execute(f"CREATE DATABASE {name}")
    return postgres.url(name)
