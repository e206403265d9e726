"""Which faults are a batch's own, and which happened to it."""

import psycopg
from sqlalchemy.exc import DBAPIError

from worker.batches.judgement import ReleasedMeanwhileError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_INNOCENT_CLASSES = {
    "08",  # connection exceptions
    "53",  # insufficient resources: disk full, out of memory, too many connections
}
_INNOCENT_STATES = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # lock not available
    "57P01",  # admin shutdown: also the end of a backend whose lease was taken over
    "57P02",  # crash shutdown
    "57P03",  # cannot connect now
    "25P03",  # idle-in-transaction time-out: a process that was stopped for a while
}


def is_innocent(error: BaseException) -> bool:
    """Whether the step may run again as if this had not happened: such an attempt does not count."""
    cause = error.orig if isinstance(error, DBAPIError) else error  # COPY goes past SQLAlchemy
    if isinstance(cause, psycopg.Error):
        return _is_innocent_state(cause.sqlstate, lost=isinstance(cause, psycopg.OperationalError))
    # An orderly shutdown arrives as SystemExit or KeyboardInterrupt.
    return isinstance(error, ReleasedMeanwhileError) or not isinstance(error, Exception)


def _is_innocent_state(sqlstate: str | None, *, lost: bool) -> bool:
    if sqlstate is None:
        return lost
    return sqlstate[:2] in _INNOCENT_CLASSES or sqlstate in _INNOCENT_STATES
