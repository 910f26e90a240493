"""Remote control: workers answer the questions that Flower asks, and refuse all other commands.

Celery's workers obey every command that reaches them through the broker: stop, revoke a task, leave
a queue, change the pool. Here the database decides what is done, so a command could only do harm.
"""

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import control

log = structlog.get_logger()

ANSWERED = frozenset(
    {
        *("ping", "stats", "registered", "active_queues"),
        *("active", "reserved", "scheduled", "revoked"),
    }
)
"""Commands that only read. `conf` is left out because it shows the settings."""
REFUSAL = "the factory's workers refuse this command: the database decides what is done"


class Commands(dict[str, Callable[..., Any]]):
    """The commands that are answered, by name; every other name gives a refusal."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        """Return a command that changes nothing and answers with the reason."""

        def refuse(_state: object, **_: object) -> dict[str, str]:
            """Log the command and answer with the refusal."""
            log.info("command_refused", command=name)
            return {"error": REFUSAL}

        return refuse


def refuse_commands() -> None:
    """Limit what this process's worker answers; call before it starts."""
    panel: Any = control.Panel
    panel.data = Commands({name: panel.data[name] for name in ANSWERED})
