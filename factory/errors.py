"""Errors that the user can fix; each message says what to do next.

FactoryError
├── SettingsError        a profile, an environment variable or an argument is wrong
│   └── ProfileNotFound  there is no such profile
├── BadLabels            the list of labels cannot be used
├── NotReady             a package, key, device or disk that the models need is missing
├── BrokerUnavailable    the broker does not answer or cannot be started
├── CannotListen         a page cannot be served at that address
├── WorkerDied           every worker of `factory run` ended before its work
├── WorkerBroken         a worker ended by itself: its models, device or dispatcher failed
├── RunPaused            a run is paused because a server refuses the key or has no credit left
│   └── BudgetSpent      its language model used up the budget
├── NothingSucceeds      all of a run's first items were given up for the same reason
├── WorkerSilent         no recent heartbeat from a worker of the role on this host
├── NotResumable         a run cannot continue: it is over, or needs other models
├── RunOver              a run is done or cancelled, so it cannot be paused, cancelled or retried
├── NotConfirmed         a command that cannot be undone has no terminal to ask
├── NoDatabase           there is nothing to read yet
├── SplitsIncomplete     a split of an export has no image or lacks a label
├── NothingFound         no candidate, or no picture, matches the request
├── ImportRuns           another process is importing the same folder of pictures
├── RunUnfinished        a run must be over before it is refiltered
├── BadMarks             reviews in a file, or for suggesting thresholds, cannot be used
├── ModelChanged         a replay needs the model that generated the image
├── UnknownName          a score, reason or verdict that the filters do not know
│   └── UnknownKeyword   a keyword that the filters do not know; a TypeError too
├── CannotWrite          a file or folder cannot or must not be written
├── CannotFetch          a model's weights cannot be downloaded
├── LibraryMissing       the request needs a library that is not installed
├── BadDataset           a dataset for `factory gain` cannot be read, or not be used for it
└── TrainingFailed       a training of `factory gain` diverged
"""

from collections.abc import Sequence

SHOWN_PROBLEMS = 10


class FactoryError(Exception):
    """An error that the user can fix; base of all errors in this package.

    Attributes:
        exit_code: The exit code of the command line.
    """

    exit_code = 2


class SettingsError(FactoryError):
    """A profile, an environment variable or an argument is wrong."""


class ProfileNotFound(SettingsError):
    """There is no such profile."""


class BadLabels(FactoryError):
    """The list of labels cannot be used; nothing was written.

    Attributes:
        problems: Everything that is wrong with it, in order.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_in_words(self.problems))


class NotReady(FactoryError):
    """Something that the models need is missing on this machine; nothing was downloaded.

    Attributes:
        problems: Everything that is missing, with what to do.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))  # several families may ask one server
        head = "this machine is not ready; nothing was downloaded or submitted:"
        several = [head, *(f"  {one}" for one in self.problems)]
        super().__init__("\n".join(several if len(self.problems) > 1 else self.problems))


class BrokerUnavailable(FactoryError):
    """The broker does not answer or cannot be started."""


class CannotListen(FactoryError):
    """A page cannot be served there: the port is in use, or the host is another machine."""


class WorkerDied(FactoryError):
    """Every worker process of `factory run`, or every one for a role, ended before its work."""

    exit_code = 1


class WorkerBroken(FactoryError):
    """A worker ended by itself: its models, its device or its dispatcher failed."""

    exit_code = 1


class RunPaused(FactoryError):
    """A run was paused by the factory, e.g. because a server refuses the key; nothing is lost."""

    exit_code = 1


class BudgetSpent(RunPaused):
    """A run is paused because its language model used up the budget; nothing is lost."""


class NothingSucceeds(FactoryError):
    """All of a run's first items were given up for the same reason; the run was paused."""

    exit_code = 1


class WorkerSilent(FactoryError):
    """No worker of the role on this host has sent a heartbeat recently."""

    exit_code = 1


class NotResumable(FactoryError):
    """A run cannot continue: it is over, or needs other models."""


class RunOver(FactoryError):
    """A run is done or cancelled, so it cannot be paused, cancelled or retried."""


class NotConfirmed(FactoryError):
    """A command that cannot be undone has no terminal to ask: `--yes` confirms it."""


class NoDatabase(FactoryError):
    """There is nothing to read yet."""


class SplitsIncomplete(FactoryError):
    """A split of an export has no image or lacks a label; nothing was written."""

    exit_code = 1


class NothingFound(FactoryError):
    """No candidate, or no picture, matches the request."""


class ImportRuns(FactoryError):
    """Another process is importing the same folder of pictures."""


class RunUnfinished(FactoryError):
    """A run must be over before it is refiltered."""


class BadMarks(FactoryError):
    """Reviews in a file, or for suggesting thresholds, cannot be used."""


class ModelChanged(FactoryError):
    """A replay needs the model that generated the image."""


class UnknownName(FactoryError):
    """A score, reason or verdict that the filters do not know."""


class UnknownKeyword(UnknownName, TypeError):
    """A keyword that the filters do not know."""


class CannotWrite(FactoryError):
    """A file or folder cannot or must not be written."""


class CannotFetch(FactoryError):
    """A model's weights cannot be downloaded: no network, no such repository, or another file."""

    exit_code = 1


class LibraryMissing(FactoryError):
    """The request needs a library that is not installed."""


class BadDataset(FactoryError):
    """A dataset for `factory gain` cannot be read, or not be used for it; nothing was written."""


class TrainingFailed(FactoryError):
    """A training of `factory gain` diverged; what was finished before is kept."""

    exit_code = 1


def _in_words(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    lines = [f"{len(problems)} problems with the labels; nothing was written:"]
    lines += [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  and {len(problems) - SHOWN_PROBLEMS} more")
    return "\n".join(lines)
