"""Errors of the database and the image store.

StoreError
├── RowNotFound          no row with this id
├── DatabaseUnavailable  the database does not answer, or its schema does not match
│   └── DatabaseAway     it does not answer now; waiting may help
├── StorageUnavailable   the image store cannot be read or written now; waiting may help
├── ImageMissing         a row names a file that is not in the store
└── ImageBroken          the file is there but is not the image that was stored
"""


class StoreError(Exception):
    """The database or the disk failed; base class of this package's errors."""


class RowNotFound(StoreError):
    """No row with this id."""


class RefusedChange(StoreError):
    """A change by a person that would make no sense."""


class DatabaseUnavailable(StoreError):
    """The database does not answer, or its schema does not match."""


class DatabaseAway(DatabaseUnavailable):
    """The database does not answer now; waiting may help."""


class StorageUnavailable(StoreError):
    """The image store cannot be read or written now; waiting may help."""


class ImageMissing(StoreError):
    """A row names a file that is not in the image store."""


class ImageBroken(StoreError):
    """The file does not hold the image that was stored under its name."""
