"""Notifier: reports that a run has ended, or that the factory has paused it."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from chatgenimage.db.models import Notification, Run
from chatgenimage.db.notifications import claim_notification, find_wait, settle_notification
from chatgenimage.db.run_problems import find_problems
from chatgenimage.db.run_progress import overview
from chatgenimage.db.session import Sessions, reading
from chatgenimage.db.states import Channel, RunEvent
from chatgenimage.factory import log as logs
from chatgenimage.factory.background_thread import BackgroundThread
from chatgenimage.factory.errors import CannotWrite, NothingSucceeds, RunPaused
from chatgenimage.factory.notifications.transports import post_webhook, run_command
from chatgenimage.factory.problems import has_failed, problems_record
from chatgenimage.factory.settings.model import Settings

log = structlog.get_logger()

LOOK_S = 2.0
SPARE_S = 30.0
"""How much longer than an attempt its claim lasts."""
WORDS = {
    RunEvent.DONE: "is done",
    RunEvent.CANCELLED: "was cancelled",
    RunEvent.BUDGET_SPENT: "is paused, its budget is spent",
    RunEvent.CREDIT_SPENT: "is paused, the account at a server has no credit left",
    RunEvent.KEY_REFUSED: "is paused, a server does not accept the key",
    RunEvent.NOTHING_SUCCEEDS: "is paused, all of its first items were given up",
}


class Notifier:
    """Sends notifications over the channels in the settings; any number may run at once."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._command = settings.notify_command
        self._webhook = settings.notify_webhook
        self._timeout_s = settings.notify_timeout_s
        self._sessions = sessions
        targets = {Channel.COMMAND: self._command, Channel.WEBHOOK: self._webhook}
        self._channels = [channel for channel, target in targets.items() if target]

    def send_next(self) -> bool:
        """Make one attempt if one is due; return whether there was one."""
        with self._sessions.begin() as session:
            lease_s = self._timeout_s + SPARE_S
            claimed = claim_notification(session, self._channels, lease_s)
            if claimed is None:
                return False
        with reading(self._sessions) as session:
            record = notification_record(session, claimed)
        error = self._send(claimed.channel, record)
        with self._sessions.begin() as session:
            is_retried = settle_notification(session, claimed, error)
        _note(claimed, error, is_retried=is_retried)
        return True

    def finish(self, run_id: int) -> None:
        """Send a run's notifications, with retries, until each is delivered or given up."""
        while (wait_s := self._find_wait(run_id)) is not None:
            time.sleep(min(wait_s, LOOK_S))
            self.send_next()

    def run(self, stop: threading.Event) -> None:
        """Send due notifications until stopped; wait if the database is unavailable."""
        while self._channels and not stop.is_set():
            try:
                while self._find_wait() == 0.0 and not stop.is_set():
                    self.send_next()
            except (OperationalError, InterfaceError) as error:
                log.warning("notifier_waits", error=str(error))
            stop.wait(LOOK_S)

    def start(self) -> BackgroundThread:
        """Run in a thread while the returned context is open."""
        return BackgroundThread(self.run, "notifier")

    def _find_wait(self, run_id: int | None = None) -> float | None:
        with reading(self._sessions) as session:
            return find_wait(session, self._channels, run_id)

    def _send(self, channel: str, record: dict[str, Any]) -> str | None:
        body = json.dumps(record, ensure_ascii=False).encode()
        if channel == Channel.WEBHOOK and self._webhook:
            return post_webhook(self._webhook.get_secret_value(), body, self._timeout_s)
        environment = {"RUN_ID": str(record["run"]), "RUN_EVENT": record["event"]}
        return run_command(self._command or (), body, environment, self._timeout_s)


@contextmanager
def notifying(settings: Settings, sessions: Sessions, run_id: int) -> Iterator[None]:
    """Send a run's notifications after the block: it has ended, or the factory paused it.

    They are sent also if the block cannot write the contact sheet of the finished run.
    """
    try:
        yield
    except (CannotWrite, NothingSucceeds, RunPaused):
        _finish_here(settings, sessions, run_id)
        raise
    _finish_here(settings, sessions, run_id)


def _finish_here(settings: Settings, sessions: Sessions, run_id: int) -> None:
    logs.configure(settings, logging.WARNING)  # the user sees only failures
    Notifier(settings, sessions).finish(run_id)


def notification_record(session: Session, notification: Notification) -> dict[str, Any]:
    """Return a notification's content as JSON values; its size does not depend on the run's."""
    run = session.get_one(Run, notification.run_id)
    now = overview(session, run.id)
    accepted, made = sum(now.accepted.values()), sum(now.made.values())
    given_up = sum(step.quarantined for step in now.steps)
    problems = find_problems(session, run.id)
    ends = WORDS[RunEvent(notification.event)]
    return {
        "notification": notification.id,
        "event": notification.event,
        "run": run.id,
        "text": f"Run {run.id} {ends}: {accepted} of {made} images accepted, {given_up} given up",
        "failed": has_failed(run.state, problems),
        "problems": problems_record(problems),
        "state": run.state,
        "pause_reason": run.pause_reason,
        "labels": len({label for label, _ in now.made}),
        "candidates": made,
        "accepted": accepted,
        "rejected": sum(now.rejected.values()),
        "quarantined": given_up,
        "quotas_missed": sum(quota.missing > 0 for quota in now.quotas),
        "batches": {"done": now.batches_done, "all": now.batches},
        "cost": run.spent,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


def _note(claimed: Notification, error: str | None, *, is_retried: bool) -> None:
    facts = {"run_id": claimed.run_id, "about": claimed.event, "channel": claimed.channel}
    if error is None:
        log.info("notification_sent", **facts)
    elif is_retried:
        log.warning("notification_failed", attempt=claimed.attempts, error=error, **facts)
    else:
        log.error("notification_given_up", attempts=claimed.attempts, error=error, **facts)
