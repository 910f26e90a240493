"""What can go wrong with a datum or in the order of the work.

StepError
├── Unassembled      a task ran before the process was given its resources
└── NotAble          no family of this worker has the asked capability
"""


class StepError(Exception):
    """A step could not do its work; base of this room's errors."""


class Unassembled(StepError):
    """A task ran in a process that was never assembled; start workers with `factory worker`."""


class NotAble(StepError):
    """No family of this worker has the asked capability."""
