"""Check of the arguments of a Python call: kinds and bounds, as its annotations say.

The command line has the same bounds in its options; a script or a notebook has none but these.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ParamSpec, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    validate_call,
)

from chatgenimage.factory.errors import SettingsError, UnknownKeyword

P = ParamSpec("P")
R = TypeVar("R")

MAX_INTEGER = 2**63 - 1
"""The largest integer that a database stores."""
MAX_ID = 2**31 - 1
MOST_WORKERS = 256
NOUNS = {"make_filter": "filter"}
"""Noun for the keywords of a function that other functions call with theirs."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that no name has: PostgreSQL refuses the first, UTF-8 all others."""

Seed = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Id = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)]
"""Number of a run or a candidate; one that does not exist is another error than a wrong kind."""
Count = Annotated[int, Field(ge=0, le=MAX_ID)]
WorkerCount = Annotated[int, Field(ge=1, le=MOST_WORKERS)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def several(given: str | Path | Iterable[Any]) -> list[Any]:
    """Return the values of an argument that takes one or several."""
    return [given] if isinstance(given, str | Path) else list(given)


def _to_texts(given: object) -> list[str]:
    values = _to_list(given)
    _refuse_others(values, str, "text")
    if any(map(UNSTORABLE.search, values)):
        raise ValueError("a text has a NUL or is not UTF-8, which no database stores")
    return values


def _to_paths(given: object) -> list[Any]:
    values = _to_list(given)
    _refuse_others(values, str | Path, "a path")
    return list(map(_without_nul, values))


def _to_list(given: object) -> list[Any]:
    is_one = isinstance(given, bytes) or not isinstance(given, Iterable)
    return [given] if is_one else several(cast("Iterable[Any]", given))


def _refuse_others(values: Iterable[object], kind: type | UnionType, named: str) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise ValueError(f"expected {named}, or several, found {type(value).__name__}")  # noqa: TRY004  # pydantic reports it


def _without_nul(given: str | Path) -> str | Path:
    if "\0" in str(given):
        raise ValueError("a path has no NUL")
    return given


Texts = Annotated[str | Iterable[str], PlainValidator(_to_texts)]
Place = Annotated[str | Path, AfterValidator(_without_nul)]
Paths = Annotated[str | Path | Iterable[str | Path], PlainValidator(_to_paths)]
PathText = Annotated[
    str, BeforeValidator(lambda given: str(given) if isinstance(given, Path) else given)
]
"""A name or path that is stored as text."""
TextOrList = Annotated[
    str | Annotated[Iterable[str], PlainValidator(_to_texts)],
    Field(union_mode="left_to_right"),
]
"""Texts, or one text that is parsed as on the command line."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with a check of its arguments; it gets them converted.

    Raises (when it is called):
        UnknownKeyword: If a keyword does not exist.
        SettingsError: If a value is of another kind than annotated, or out of its bounds.
    """

    @validate_call(config=ConfigDict(extra="forbid"))
    @wraps(function)
    def convert(*args: P.args, **kwargs: P.kwargs) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return the arguments as pydantic converted them."""
        return args, kwargs

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        """Convert the arguments and call the function."""
        try:
            good_args, good_kwargs = convert(*args, **kwargs)
        except ValidationError as error:
            raise _explain(error, function) from None
        return function(*good_args, **good_kwargs)

    return call


def _explain(error: ValidationError, function: Callable[..., Any]) -> Exception:
    """Return the error for a person: the first problem, with the name of the argument."""
    first = error.errors(include_url=False, include_input=False)[0]
    names = list(signature(function).parameters)
    place = first["loc"][0] if first["loc"] else ""
    name = names[place] if isinstance(place, int) and place < len(names) else str(place)
    match first["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return UnknownKeyword(_unknown(name, function))
        case "missing_argument" | "missing_positional_only_argument" | "missing":
            return UnknownKeyword(f"{function.__name__}() needs `{name}`.")
        case "unexpected_positional_argument":
            return UnknownKeyword(f"{function.__name__}() takes fewer arguments without a name.")
    problem = first["msg"].removeprefix("Value error, ")
    where = NOUNS.get(function.__name__, f"{function.__name__}():")
    return SettingsError(f"{where} `{name}` is wrong: {problem}.")


def _unknown(name: str, function: Callable[..., Any]) -> str:
    known = _keywords(function)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    kind = NOUNS.get(function.__name__, f"argument of {function.__name__}()")
    return f"no {kind} is called {name!r};{hint} there are: {', '.join(known)}."


def _keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters, and of the keywords that it unpacks."""
    names: list[str] = []
    for parameter in signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            [unpacked] = parameter.annotation.__args__
            names += unpacked.__annotations__
        elif parameter.name != "self":
            names.append(parameter.name)
    return names
