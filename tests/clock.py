"""Business time, moved by tests."""

from datetime import timedelta

from worker.queries.clock import move_clock
from worker.runtime import Runtime


def pass_time(runtime: Runtime, **by: float) -> None:
    """Let business time go ahead, e.g. by `days=7`, for all processes on this database."""
    with runtime.transaction() as connection:
        assert move_clock(connection, timedelta(**by)) is not None
