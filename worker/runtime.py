"""What a use-case needs from the process that it runs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.crypto import Keys
from worker.database import build_engine
from worker.doorbell import Doorbell, SilentDoorbell
from worker.settings import Settings


@dataclass(frozen=True)
class Runtime:
    """Settings, database, keys and doorbell of one process; made once, after any fork."""

    settings: Settings
    engine: Engine
    keys: Keys
    doorbell: Doorbell

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One READ COMMITTED transaction: commits at the end, rolls back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for a single look: each statement is a transaction of its own."""
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close the database connections."""
        self.engine.dispose()


def build_runtime(settings: Settings, doorbell: Doorbell | None = None, pool_size: int = 2) -> Runtime:
    """A runtime on the servers that the settings name; opens no connection yet.

    Raises:
        EnvironmentProblem: a needed setting is missing.
    """
    return Runtime(
        settings=settings,
        engine=build_engine(settings.require_database_url(), pool_size),
        keys=Keys.from_secret(settings.require_secret_key()),
        doorbell=doorbell or SilentDoorbell(),
    )
