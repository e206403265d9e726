"""Business time: hold windows, activation, expiry and digests go by it; leases and retries do not.

In SQL it is `business_now()`; nothing else tells it.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_NOW = text("select business_now()")
_MOVE = text(
    "update clock set ahead = ahead + :by, moved_at = clock_timestamp() where cast(:by as interval) >= interval '0'"
)
_AHEAD = text("select ahead from clock")


def business_now(connection: Connection) -> datetime:
    """The present moment."""
    return connection.execute(_NOW).scalar_one()  # type: ignore[no-any-return]


def move_clock(connection: Connection, by: timedelta) -> datetime | None:
    """Let business time go ahead by `by` for all processes; returns the moment after. None: it never goes back."""
    connection.execute(_MOVE, {"by": by})
    return connection.execute(_NOW).scalar_one() if by >= timedelta(0) else None


def read_ahead(connection: Connection) -> timedelta:
    """By how much business time is ahead of the clock."""
    return connection.execute(_AHEAD).scalar_one()  # type: ignore[no-any-return]
