"""ASSEMBLE: settings, composition root, submitter, dispatcher, command line, exports.

Programs begin with `from factory import open_store`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.store import open_store

__all__ = ["open_store"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever bears the name
    """Import what programs ask for when they ask: the command line starts without it."""
    if name in __all__:
        from factory import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
