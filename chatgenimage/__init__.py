"""ChatGenImage: label words in, an annotated and filtered image dataset out.

`from chatgenimage import run` does what the command `factory run` does, and so do `submit`,
`annotate`, `watch` and `export`; `open_store` reads what runs have made.
The folders inside are links to the folders of the same names at the top of the repository.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatgenimage.factory.api.exports import export
    from chatgenimage.factory.api.runs import annotate, run, submit, watch
    from chatgenimage.factory.query.store import open_store

__all__ = ["annotate", "export", "open_store", "run", "submit", "watch"]

_MODULES = {
    "annotate": "factory.api.runs",
    "export": "factory.api.exports",
    "open_store": "factory.query.store",
    "run": "factory.api.runs",
    "submit": "factory.api.runs",
    "watch": "factory.api.runs",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any exported object
    """Import an exported name on first use, so that importing the package stays fast."""
    if name in _MODULES:
        return getattr(import_module(f"chatgenimage.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the exported names too: they are completed in a notebook."""
    return sorted([*globals(), *__all__])
