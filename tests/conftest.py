"""The servers that all tests share: one PostgreSQL and one broker for each process of the test run."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.servers import THROW_AWAY, drop_database, fresh_database, running_broker, running_postgres
from worker.database import build_engine
from worker.runtime import Runtime, build_runtime
from worker.schema import migrate
from worker.settings import Settings

SECRET_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> None:
    for name in [name for name in os.environ if name.startswith("CLAIMD_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    # Commands that run inside of the tests set it up for standard error as it is at that moment.
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own."""
    with (
        tempfile.TemporaryDirectory(prefix="claimd-pg-") as folder,
        running_postgres(Path(folder), settings=THROW_AWAY) as server,
    ):
        yield server.url


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """A broker of our own."""
    with tempfile.TemporaryDirectory(prefix="claimd-mq-") as folder, running_broker(Path(folder)) as server:
        yield server.url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of a migrated database that nobody is connected to."""
    url = fresh_database(postgres_url)
    engine = build_engine(url, pool_size=1)
    migrate(engine)
    engine.dispose()
    return url.rpartition("/")[2]


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A fresh, migrated database."""
    url = fresh_database(postgres_url, template_database)
    yield url
    drop_database(url)


@pytest.fixture
def settings(database_url: str, broker_url: str, tmp_path: Path) -> Settings:
    """Settings of a process on the fresh database."""
    return Settings.model_validate(
        {
            "database_url": database_url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": tmp_path / "data",
        }
    )


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """A process's runtime on the fresh database; its doorbell rings nowhere."""
    runtime = build_runtime(settings)
    yield runtime
    runtime.close()
