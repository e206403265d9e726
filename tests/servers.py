"""Servers for tests: real ones, as throw-away children of the test run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType

import psycopg
from psycopg import sql

from worker.embedded.broker import EmbeddedBroker
from worker.embedded.postgres import EmbeddedPostgres

SYSTEM_POSTGRES = Path("/usr/lib/postgresql/15/bin")
"""PostgreSQL 15 of Debian, absent elsewhere."""
DROP_SECONDS = 30.0
THROW_AWAY = MappingProxyType({"fsync": "off", "full_page_writes": "off"})
"""Of a server whose files nobody misses when the machine dies; a server that is killed loses nothing by it."""


@contextmanager
def running_postgres(
    tmp_dir: Path, bin_dir: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server in `tmp_dir`; `.url` leads to its database `claimd`."""
    server = EmbeddedPostgres(tmp_dir, bin_dir, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_broker(tmp_dir: Path) -> Iterator[EmbeddedBroker]:
    """A Valkey server in `tmp_dir`."""
    server = EmbeddedBroker(tmp_dir)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def fresh_database(server_url: str, template: str | None = None) -> str:
    """Makes a database, empty or as a copy of the database `template` (which nobody may be connected to)."""
    name = f"test_{token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(create)
    return server_url.rpartition("/")[0] + "/" + name


def drop_database(url: str) -> None:
    """Drops a database made by `fresh_database`, connections and all."""
    server, _, name = url.rpartition("/")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    deadline = time.monotonic() + DROP_SECONDS
    with psycopg.connect(f"{server}/claimd", autocommit=True) as connection:
        while True:
            try:
                connection.execute(drop)
            except psycopg.errors.InsufficientPrivilege:  # an autovacuum is at work there, which nobody but it may end
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                return
