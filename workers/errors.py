"""Errors of models and devices.

WorkerError
├── PluginBroken         what another package adds to the factory cannot be used
├── PackageMissing       a package or program that a family needs is not installed
├── CheckpointNotFound   the folder or hub id holds no weights
├── CheckpointBroken     the weights are there but do not load
├── TemplateBroken       a folder of own questions for the language model cannot be used
├── ConversationFailed   a language model gave no usable answer
│   ├── AnswerRefused        its answers were unusable
│   └── EndpointUnavailable  its server cannot be reached or is overloaded
│       ├── CreditSpent          its account has no credit left
│       └── KeyRefused           it does not accept the key
├── UnknownWord          a language model does not know a word
├── UnfitImage           an image or mask has an unsupported shape
├── UnfitOptions         a generator cannot paint with the options of an image
├── NotANumber           a model's numbers overflowed in its precision
├── ImageWithheld        a checkpoint's safety checker withheld an image
├── DeviceAbsent         the requested device does not exist
├── OutOfMemory          the device's memory is exhausted
└── DeviceLost           the device does not work any more
"""

from collections.abc import Sequence

from chatgenimage.workers.values import Exchange


class WorkerError(Exception):
    """A model or its device failed; base class of this package's errors."""


class PluginBroken(WorkerError):
    """A plug-in of another package cannot be imported or used, or its name is taken."""


class PackageMissing(WorkerError):
    """A Python package or a program that a family needs is not installed."""


class CheckpointNotFound(WorkerError):
    """The checkpoint in the profile has no weights, or a language model has no API key."""


class CheckpointBroken(WorkerError):
    """The weights are there but cannot be loaded."""


class TemplateBroken(WorkerError):
    """A folder of own questions for the language model cannot be used."""


class ConversationFailed(WorkerError):
    """A language model gave no usable answer.

    Attributes:
        exchanges: The requests and answers so far, for the ledger.
    """

    def __init__(self, message: str, exchanges: Sequence[Exchange] = ()) -> None:
        super().__init__(message)
        self.exchanges = tuple(exchanges)


class AnswerRefused(ConversationFailed):
    """The language model's answers were unusable."""


class EndpointUnavailable(ConversationFailed, ConnectionError):
    """The language model's server cannot be reached or is overloaded; a retry may help."""


class CreditSpent(EndpointUnavailable):
    """The account at the language model's server has no credit left; the run is paused."""


class KeyRefused(EndpointUnavailable):
    """The language model's server does not accept the key; the run is paused."""


class UnknownWord(WorkerError):
    """The language model does not know this word."""


class UnfitImage(WorkerError):
    """An image or mask has an unsupported shape."""


class UnfitOptions(WorkerError):
    """A generator cannot paint with the size or the negative prompt of an image."""


class NotANumber(WorkerError):
    """A model's numbers overflowed in its precision."""


class ImageWithheld(WorkerError):
    """A checkpoint's safety checker withheld an image."""


class DeviceAbsent(WorkerError):
    """The requested device is not on this machine, or hidden from this process."""


class OutOfMemory(WorkerError):
    """A batch, or a model's weights, did not fit into the device's memory."""


class DeviceLost(WorkerError, ConnectionError):
    """The device does not work any more in this process; another process may still use it."""
