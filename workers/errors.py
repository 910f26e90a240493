"""What can go wrong in a model or on its device.

WorkerError
├── PackageMissing       what a family is made of is not installed
├── CheckpointNotFound   the folder or hub id holds no weights
├── CheckpointBroken     the weights are there but do not load
├── ConversationFailed   a language model was asked in vain
│   ├── AnswerRefused        it gave no usable answer
│   └── EndpointUnavailable  its server cannot be reached or is overloaded
├── UnknownWord          a language model cannot speak about a word
├── UnfitImage           an image or mask has a shape that this cannot work with
├── DeviceAbsent         the device that was asked for is not here
├── OutOfMemory          the device's memory did not suffice
└── DeviceLost           the device does not compute any more
"""

from collections.abc import Sequence

from chatgenimage.workers.values import Exchange


class WorkerError(Exception):
    """A model or its device failed; base of this room's errors."""


class PackageMissing(WorkerError):
    """The Python package that a family is made of is not installed."""


class CheckpointNotFound(WorkerError):
    """No weights where the profile says they are, or no key to a language model elsewhere."""


class CheckpointBroken(WorkerError):
    """The weights are there but cannot be loaded."""


class ConversationFailed(WorkerError):
    """A language model was asked in vain.

    Attributes:
        exchanges: What was asked and answered nevertheless, for the ledger.
    """

    def __init__(self, message: str, exchanges: Sequence[Exchange] = ()) -> None:
        super().__init__(message)
        self.exchanges = tuple(exchanges)


class AnswerRefused(ConversationFailed):
    """No usable answer came from the language model."""


class EndpointUnavailable(ConversationFailed, ConnectionError):
    """The language model's server cannot be reached or is overloaded; later it may answer."""


class UnknownWord(WorkerError):
    """The language model cannot speak about this word."""


class UnfitImage(WorkerError):
    """An image or mask has a shape that this cannot work with."""


class DeviceAbsent(WorkerError):
    """The device that was asked for is not on this machine, or hidden from this process."""


class OutOfMemory(WorkerError):
    """A batch did not fit into the device's memory, half of it might; or weights did not."""


class DeviceLost(WorkerError, ConnectionError):
    """The device does not compute any more in this process; elsewhere the work may go on."""
