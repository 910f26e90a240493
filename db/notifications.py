"""Transactional outbox: notifications are written with their event, then claimed and sent.

Delivery is at least once: an attempt is claimed and counted before it starts, and if its sender
dies, another process sends it. A duplicate is sent only if the sender dies between sending and
storing that it was sent.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from chatgenimage.db.clock import now
from chatgenimage.db.models import Notification
from chatgenimage.db.states import Channel, RunEvent

MAX_ATTEMPTS = 4
RETRY_S = 5.0
"""Delay between the first attempts, in seconds; doubled each time."""
NEWS_S = 24 * 3600.0
"""Older events are skipped: a new channel does not send notifications of all past events."""


def add_notifications(session: Session, run_id: int, event: RunEvent) -> None:
    """Add an event's notification for each channel, in the transaction that stores the event."""
    row = {"run_id": run_id, "event": event, "created_at": now(session)}
    session.execute(insert(Notification), [row | {"channel": channel} for channel in Channel])


def find_wait(
    session: Session, channels: Collection[Channel], run_id: int | None = None
) -> float | None:
    """Return the seconds until the next notification is due; None if none is left.

    Args:
        session: An open transaction.
        channels: The channels that are configured.
        run_id: Only of this run; None: of any run.
    """
    of_run = () if run_id is None else (Notification.run_id == run_id,)
    time = now(session)
    earliest = session.scalar(
        select(func.min(Notification.run_after)).where(*_is_open(channels, time), *of_run)
    )
    return None if earliest is None else max(earliest - time, 0.0)


def claim_notification(
    session: Session, channels: Collection[Channel], lease_s: float
) -> Notification | None:
    """Claim a due notification and count the attempt; others skip it for `lease_s` seconds."""
    time = now(session)
    found = session.scalar(
        select(Notification)
        .where(*_is_open(channels, time), Notification.run_after <= time)
        .order_by(Notification.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if found is not None:
        found.attempts += 1
        found.run_after = time + lease_s
    return found


def settle_notification(session: Session, claimed: Notification, error: str | None) -> bool:
    """Store how an attempt ended; return whether there will be another.

    Nothing is stored if another process claimed it since.
    """
    time = now(session)
    is_last = error is None or claimed.attempts >= MAX_ATTEMPTS
    session.execute(
        update(Notification)
        .where(Notification.id == claimed.id, Notification.attempts == claimed.attempts)
        .values(
            told_at=time if error is None else None,
            run_after=time + RETRY_S * 2 ** (claimed.attempts - 1),
            error=error,
        )
        .execution_options(synchronize_session=False)
    )
    return not is_last


def _is_open(channels: Collection[Channel], time: float) -> tuple[ColumnElement[bool], ...]:
    return (
        Notification.told_at.is_(None),
        Notification.attempts < MAX_ATTEMPTS,
        Notification.channel.in_(channels),
        Notification.created_at > time - NEWS_S,
    )
