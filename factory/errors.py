"""What the person at the command line can put right; each message says what to do next.

FactoryError
├── SettingsError        a profile, an environment variable or an argument is wrong
│   └── ProfileNotFound  there is no such profile
├── BadLabels            the list of labels cannot be used
├── BrokerUnavailable    the broker does not answer or cannot be started
├── CannotListen         a page cannot be served at that address
├── WorkerDied           the worker of `factory run` ended before its work
├── WorkerBroken         a worker ended by itself: its models, device or dispatcher failed
├── BudgetSpent          a run rests because its language model has cost what it may
├── WorkerSilent         no worker of the role gave a sign of life here lately
├── NotResumable         a run cannot go on: it is over, or asks for other models
├── NoDatabase           there is nothing to read yet
├── NothingFound         no candidate matches what was asked for
├── RunUnfinished        a run must be over before it is judged again
├── BadMarks             marks of a file, or to calibrate by, cannot be used
├── ModelChanged         a replay needs the model that painted the image
├── UnknownName          a score, reason or verdict that the filters do not know
├── CannotWrite          a file or folder cannot or must not be written there
├── CannotMeasure        what measures checkpoints is not there
└── LibraryMissing       what was asked for needs a library that is not installed
"""

from collections.abc import Sequence

SHOWN_PROBLEMS = 10


class FactoryError(Exception):
    """Something the operator can put right; base of this room's errors.

    Attributes:
        exit_code: What the command line ends with.
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
        super().__init__(_tell(self.problems))


class BrokerUnavailable(FactoryError):
    """The broker does not answer or cannot be started."""


class CannotListen(FactoryError):
    """A page cannot be served at that address: the port is taken, or it is not this machine's."""


class WorkerDied(FactoryError):
    """The worker of `factory run` ended before its work."""

    exit_code = 1


class WorkerBroken(FactoryError):
    """A worker ended by itself: its models, its device or its dispatcher failed."""

    exit_code = 1


class BudgetSpent(FactoryError):
    """A run rests because its language model has cost what it may; nothing is lost."""

    exit_code = 1


class WorkerSilent(FactoryError):
    """No worker of the role gave a sign of life on this machine lately."""

    exit_code = 1


class NotResumable(FactoryError):
    """A run cannot go on: it is over, or asks for other models."""


class NoDatabase(FactoryError):
    """There is nothing to read yet."""


class NothingFound(FactoryError):
    """No candidate matches what was asked for."""


class RunUnfinished(FactoryError):
    """A run must be over before it is judged again."""


class BadMarks(FactoryError):
    """Marks of a file, or to calibrate by, cannot be used."""


class ModelChanged(FactoryError):
    """A replay needs the model that painted the image."""


class UnknownName(FactoryError):
    """A score, reason or verdict that the filters do not know."""


class CannotWrite(FactoryError):
    """A file or folder cannot or must not be written there."""


class CannotMeasure(FactoryError):
    """What measures checkpoints is not there: an installed package has no training folder."""


class LibraryMissing(FactoryError):
    """What was asked for needs a library that is not installed."""


def _tell(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    lines = [f"{len(problems)} problems with the labels; nothing was written:"]
    lines += [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  and {len(problems) - SHOWN_PROBLEMS} more")
    return "\n".join(lines)
