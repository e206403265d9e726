"""Business time, shown to people and moved by those who try things out."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from worker.errors import EnvironmentProblem, Invalid
from worker.queries import clock
from worker.runtime import Runtime

FARTHEST: Final = timedelta(days=3650)


def show_clock(runtime: Runtime) -> dict[str, Any]:
    """Business time, and by how much it is ahead."""
    with runtime.transaction() as connection:
        return _document(connection)


def move_clock(runtime: Runtime, ahead: timedelta) -> dict[str, Any]:
    """Let business time go ahead by so much more, for all who use this database. It never goes back.

    Raises:
        EnvironmentProblem: the settings do not allow it.
        Invalid: that would be back, or more than ten years at once.
    """
    if not runtime.settings.movable_clock:
        raise EnvironmentProblem("Business time goes by the clock: CLAIMD_MOVABLE_CLOCK is not set.")
    if not timedelta(0) <= ahead <= FARTHEST:
        raise Invalid("Business time goes ahead only, and by ten years at most.")
    with runtime.transaction() as connection:
        clock.move_clock(connection, ahead)
        return _document(connection)


def _document(connection: Connection) -> dict[str, Any]:
    return {"business_time": clock.business_now(connection), "ahead": str(clock.read_ahead(connection))}
