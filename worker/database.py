"""Connections to PostgreSQL: made after any fork, checked before first use."""

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError

from worker import crashpoints
from worker.errors import EnvironmentProblem

OLDEST_SERVER = 150_000
DRIVER = "postgresql+psycopg"


def build_engine(database_url: str, pool_size: int) -> Engine:
    """An engine with at most `pool_size` connections; opens none yet.

    Raises:
        EnvironmentProblem: the URL is not a PostgreSQL URL.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise EnvironmentProblem("CLAIMD_DATABASE_URL is not a URL; expected `postgresql://…`.") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise EnvironmentProblem("CLAIMD_DATABASE_URL must be a PostgreSQL URL, `postgresql://…`.")
    engine = create_engine(
        url.set(drivername=DRIVER),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # what customers sent stands in no log
        # A dead peer is noticed although it never said goodbye.
        connect_args={
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,  # milliseconds; of what was sent and never acknowledged
            "application_name": "claimd",
        },
    )
    event.listen(engine, "checkout", _refuse_closed)
    crashpoints.watch(engine)
    return engine


@contextmanager
def one_snapshot(connection: Connection) -> Iterator[None]:
    """A read-only transaction whose statements all see the same moment."""
    with _in_mode(connection, "REPEATABLE READ"), connection.begin():
        yield


@contextmanager
def one_statement(connection: Connection) -> Iterator[None]:
    """A transaction that begins and ends with its only statement, without a round trip for either."""
    with _in_mode(connection, "AUTOCOMMIT"), connection.begin():
        yield


@contextmanager
def _in_mode(connection: Connection, mode: Literal["REPEATABLE READ", "AUTOCOMMIT"]) -> Iterator[None]:
    connection.execution_options(isolation_level=mode, postgresql_readonly=mode == "REPEATABLE READ")
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=False)


def check_server(engine: Engine) -> None:
    """Refuse a server that cannot be reached or is too old.

    Raises:
        EnvironmentProblem: with one sentence that says which.
    """
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("show server_version_num")).scalar_one())
    except OperationalError as error:
        where = f"{engine.url.host or 'local socket'}:{engine.url.port or 5432}"
        raise EnvironmentProblem(f"PostgreSQL at {where} cannot be used: {first_sentence(error)}") from error
    if version < OLDEST_SERVER:
        raise EnvironmentProblem(f"claimd needs PostgreSQL 15 or later; this server is {version // 10_000}.")


def first_sentence(error: OperationalError) -> str:
    """The driver's message without its chain of attempts and without anything that looks like a password."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return re.sub(r"password=\S+", "password=…", lines[0]) if lines else type(error.orig).__name__


def _refuse_closed(dbapi_connection: psycopg.Connection, _record: object, _proxy: object) -> None:
    """A server that is gone has closed the socket, which shows without a round trip: something can be read."""
    readable = select.poll()
    readable.register(dbapi_connection.fileno(), select.POLLIN)
    if readable.poll(0):
        raise DisconnectionError


def bound_session(connection: Connection, limit: timedelta) -> None:
    """End every transaction of this session by time-outs before `limit` is over, whatever it waits for.

    A statement whose client has died is noticed within a second.
    """
    milliseconds = max(1, int(limit.total_seconds() * 1000))
    connection.execute(_BOUND_SESSION, {"limit": f"{milliseconds}ms", "lock": f"{max(1, milliseconds // 2)}ms"})


_BOUND_SESSION = text(
    "select set_config('statement_timeout', :limit, false), set_config('lock_timeout', :lock, false), "
    "set_config('idle_in_transaction_session_timeout', :limit, false), "
    "set_config('client_connection_check_interval', '1s', false)"
)
