"""One fragile claimd for all tests of this folder; each finds it whole."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import SECRET_KEY
from tests.crash.faults.fragile import Fragile
from tests.crash.faults.proxy import running_proxy
from tests.crash.system import whole_system
from tests.servers import running_broker, running_postgres
from worker.embedded.ports import free_port
from worker.runtime import build_runtime
from worker.schema import migrate
from worker.settings import Settings


@pytest.fixture(scope="package")
def claimd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    """Processes that reach their servers through networks that can be broken."""
    folder = tmp_path_factory.mktemp("fragile")
    with (
        running_postgres(folder / "postgres") as postgres,
        running_broker(folder / "broker") as broker,
        running_proxy(postgres.url) as to_database,
        running_proxy(broker.url) as to_broker,
    ):
        runtime = build_runtime(_settings(folder, postgres.url, broker.url))
        migrate(runtime.engine)
        with whole_system(_settings(folder, to_database.url, to_broker.url), folder) as system:
            yield Fragile(system, runtime, broker, postgres, {"database": to_database, "broker": to_broker})
        runtime.close()


@pytest.fixture
def fragile(claimd: Fragile) -> Iterator[Fragile]:
    """It, mended after each test."""
    yield claimd
    claimd.mend()


def _settings(folder: Path, database_url: str, broker_url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database_url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": folder / "data",
            "api_port": free_port(),
            "chunk_size": 40,
            "lease": timedelta(seconds=5),
            "sweep_interval": timedelta(seconds=0.2),
            "ring_again_after": timedelta(seconds=0.5),
            "shutdown_grace": timedelta(seconds=1),
            "upload_lease": timedelta(seconds=2),  # for so long the key of a request belongs to an API that died
            "hold_window": timedelta(hours=1),
        }
    )
