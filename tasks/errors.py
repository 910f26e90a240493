"""Errors of the tasks.

StepError
├── Unassembled      a task ran before its process got its resources
├── NotAble          no model family of this worker has the required capability
└── LabelUnread      a prompt names its label only where the painting model does not read
"""


class StepError(Exception):
    """A step could not do its work; base class of this package's errors."""


class Unassembled(StepError):
    """A task ran in a process without resources; start workers with `factory worker`."""


class NotAble(StepError):
    """No model family of this worker has the required capability."""


class LabelUnread(StepError):
    """A prompt names its label only in the part that the painting model does not read."""
