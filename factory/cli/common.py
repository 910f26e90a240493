"""Shared parts of the commands: options, opening a store, printing, and expected errors."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text
from sqlalchemy.exc import OperationalError

from chatgenimage.db.error_messages import describe_error
from chatgenimage.factory.api.places import EXPECTED, settings_at, store_at
from chatgenimage.factory.commands import (
    PLACE_OPTIONS,
    PlaceChoice,
    complete,
    remembering,
    use_places,
)
from chatgenimage.factory.errors import FactoryError, SettingsError
from chatgenimage.factory.foreign_text import SafeConsole, to_indented_json
from chatgenimage.factory.query.store import Store
from chatgenimage.factory.settings.arguments import MAX_ID, MAX_INTEGER, MOST_WORKERS
from chatgenimage.factory.settings.model import Settings
from chatgenimage.factory.submission.budgets import SpendingLimits

PIPED_WIDTH = 400

STOPPED_BY_CTRL_C = 130
"""Exit code."""
UNCHANGED = "nothing was changed. The same command starts again."
WHOLE_FILES = (
    "each file is complete, or as it was before the command. The same command starts again."
)
ROWS_TOGETHER = (
    "all changes are in the database, or none. Look with `factory status`, or give the same "
    "command again."
)
CONTINUES = "nothing is lost. The same command continues."
"""What the line after a Ctrl-C says: of a command that only reads, one that writes files, one that
changes rows in one transaction, and one that can be repeated to do what is missing."""

ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", help="Name of a profile in configs/, or a path.", show_default="micro"
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the database and the images.", show_default="data"),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help="SQLAlchemy URL.", show_default="SQLite in the data dir"),
]
Budget = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Pause the run when its calls to servers have cost this much, in the currency of the "
        "profile's prices.",
    ),
]
BudgetTokens = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_INTEGER,
        help="Most tokens, sent and received, that the language model may use.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0: any free port.")]
PngFile = Annotated[
    Path | None, typer.Option(help="PNG file to write.", show_default="in the data dir")
]
Probe = Annotated[
    bool,
    typer.Option("--probe", help="Only check the heartbeat on this host: exit code 0 or 1."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

WORKERS_AUTO = "auto"
Workers = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="Worker processes on this machine; auto: one per GPU, or per core with enough memory. "
        "Roles whose models are all on servers get one more.",
    ),
]

RunNumber = Annotated[int, typer.Argument(min=1, max=MAX_ID, help="Number of the run.")]
RunOrLatest = Annotated[
    int | None,
    typer.Argument(min=1, max=MAX_ID, help="Number of the run.", show_default="the latest"),
]
CandidateId = Annotated[
    int, typer.Argument(min=1, max=MAX_ID, help="Id of the candidate; `factory query` lists ids.")
]

stdout = SafeConsole(highlight=False, markup=False)  # no markup: a path may contain brackets
stderr = SafeConsole(stderr=True, highlight=False, markup=False)
if not stdout.is_terminal:
    stdout.width = PIPED_WIDTH


def takes(**makers: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of functions to a command, and pass it the functions' return values.

    Args:
        makers: Functions by the name of the command's argument. The names of all options of a
            command must be different.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        """Return the command with the options of its makers."""
        own = signature(command, eval_str=True)
        taken = {name: signature(make, eval_str=True).parameters for name, make in makers.items()}

        @wraps(command)
        def call(**options: Any) -> None:  # noqa: ANN401  # options of any command
            """Replace the options of each maker by its return value, and run the command."""
            if set(PLACE_OPTIONS) <= options.keys():
                use_places(PlaceChoice(**{name: options[name] for name in PLACE_OPTIONS}))
            for name, parameters in taken.items():
                options[name] = makers[name](**{each: options.pop(each) for each in parameters})
            command(**options)

        shown = [
            each.replace(kind=Parameter.KEYWORD_ONLY)
            for name, parameter in own.parameters.items()
            for each in (taken[name].values() if name in taken else [parameter])
        ]
        call.__signature__ = own.replace(parameters=shown)  # type: ignore[attr-defined]
        return call

    return decorate


def choose_limits(*, budget: Budget = None, budget_tokens: BudgetTokens = None) -> SpendingLimits:
    """Return the limits on what the language model may use; for `takes`."""
    return SpendingLimits(budget, budget_tokens)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Options for the profile, the data folder and the database; for use with `takes`.

    None: the environment or the profile decides.
    """

    profile: ProfileName = None
    data_dir: DataDir = None
    database_url: DatabaseUrl = None

    def load_settings(self, **overrides: Any) -> Settings:  # noqa: ANN401  # any field
        """Return the settings with these options; see `factory.settings.model.load_settings`."""
        return settings_at(self.place, **overrides)

    def open_chosen_store(self) -> Store:
        """Return the store; see `chatgenimage.factory.query.store.open_store`."""
        return store_at(self.place)

    @property
    def place(self) -> PlaceChoice:
        """Return the options as the other parts take them."""
        return PlaceChoice(self.profile, self.data_dir, self.database_url)


def open_chosen_store(
    profile: ProfileName = None, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> Store:
    """Return the database and the image store of the options.

    Raises:
        NoDatabase: If there is no database yet, or its schema is of another version.
    """
    return store_at(PlaceChoice(profile, data_dir, database_url))


def refuse_unused(why: str, **given: bool) -> None:
    """Refuse options that would be ignored.

    Args:
        why: Continues "... has no effect ", and says what to do.
        given: Whether the option or argument was given, by its name: RUN, or csv for --csv.

    Raises:
        SettingsError: If any was given.
    """
    names = [
        name if name.isupper() else f"--{name}" for name, is_given in given.items() if is_given
    ]
    if names:
        has = "has" if len(names) == 1 else "have"
        raise SettingsError(f"{' and '.join(names)} {has} no effect {why}.")


def parse_workers(workers: Workers) -> int | None:
    """Return a number of worker processes; None: as many as the machine can run.

    Raises:
        SettingsError: If it is neither "auto" nor a number from 1.
    """
    if workers == WORKERS_AUTO:
        return None
    if not (workers.isascii() and workers.isdecimal() and 1 <= int(workers) <= MOST_WORKERS):
        raise SettingsError(
            f"--workers must be auto or a number from 1 to {MOST_WORKERS}, not {workers!r}."
        )
    return int(workers)


@contextmanager
def expected_errors(stopped: str = UNCHANGED) -> Iterator[None]:
    """End the command with one line instead of a traceback: an error that the user can fix, Ctrl-C.

    Args:
        stopped: What a Ctrl-C leaves, and how to continue; for `end_stopped`. A part of a command
            that knows more about it calls `end_stopped` itself.
    """
    with remembering(), _ending(stopped):
        yield


def end_stopped(stopped: str) -> NoReturn:
    """End the command after Ctrl-C with a line on stderr.

    Args:
        stopped: Continues "Stopped; ": what was written, and the command that continues.

    Raises:
        typer.Exit: With code 130.
    """
    stderr.print(complete(f"Stopped; {stopped}"), soft_wrap=True)
    raise typer.Exit(STOPPED_BY_CTRL_C) from None


@contextmanager
def _ending(stopped: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        end_stopped(stopped)
    except typer.Abort:  # Ctrl-C or Ctrl-D at a question, which has no line end yet
        stderr.print()
        end_stopped(stopped)
    except EXPECTED as error:
        _complain(str(error))
        raise typer.Exit(getattr(error, "exit_code", FactoryError.exit_code)) from None
    except OperationalError as error:
        _complain(describe_error(error))
        raise typer.Exit(FactoryError.exit_code) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader, e.g. `head`, has closed; typer exits quietly
            raise
        place = error.filename or "the output"
        _complain(f"{place}: {error.strerror or error}. Free some space or check the permissions.")
        raise typer.Exit(1) from None


def warn_of_unused_names(settings: Settings, labels: Sequence[str]) -> None:
    """Print on stderr which names of the profile's tables no class of the run has."""
    from chatgenimage.factory.submission.unused_names import list_unused_names

    for warning in list_unused_names(settings.chain, labels):
        stderr.print(warning, style="yellow", soft_wrap=True)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(to_indented_json(value))


def _complain(message: str) -> None:
    stderr.print(Text(complete(message), style="red"), soft_wrap=True)
