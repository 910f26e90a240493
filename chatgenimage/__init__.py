"""ChatGenImage: label words in, an annotated and filtered image dataset out.

`from chatgenimage import open_store` reads what runs have made; the command is `factory`.
The folders inside are links to the folders of the same names at the top of the repository.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatgenimage.factory.query.store import open_store

__all__ = ["open_store"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any exported object
    """Import an exported name on first use, so that importing the package stays fast."""
    if name in __all__:
        from chatgenimage.factory.query import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
