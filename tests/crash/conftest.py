"""One system of real processes for all tests of a module."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis

from tests.conftest import SECRET_KEY
from tests.crash.scene import SCENARIOS, new_scene
from tests.crash.system import System, whole_system
from tests.servers import drop_database, fresh_database
from worker.embedded.ports import free_port
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings


@pytest.fixture(scope="module")
def system(
    postgres_url: str, template_database: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """API, worker and beat, impatient, with small chunks."""
    folder = tmp_path_factory.mktemp("system")
    url = fresh_database(postgres_url, template_database)
    with redis.Redis.from_url(broker_url) as client:
        client.flushdb()
    settings = Settings.model_validate(
        {
            "database_url": url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": folder / "data",
            "api_port": free_port(),
            "chunk_size": 40,
            "sweep_interval": timedelta(seconds=0.2),
            "ring_again_after": timedelta(seconds=0.5),
            "shutdown_grace": timedelta(seconds=1),
            "upload_lease": timedelta(seconds=2),  # for so long the key of a request belongs to an API that died
            "hold_window": timedelta(hours=1),
            "webhook_allow_private": True,
            "max_attempts": 50,  # the tests kill more often than a batch may cost workers
        }
    )
    with whole_system(settings, folder) as running:
        yield running
    drop_database(url)


@pytest.fixture(scope="module")
def crash_runtime(system: System) -> Iterator[Runtime]:
    """The database as the tests see it."""
    runtime = build_runtime(system.settings)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def undisturbed(system: System, crash_runtime: Runtime) -> dict[str, dict[str, Any]]:
    """What each scenario comes to when nothing happens to it."""
    found = {}
    for name, scenario in SCENARIOS.items():
        scene = new_scene(crash_runtime, system.api_url)
        scenario(scene)
        scene.settle()
        found[name] = scene.told()
    return found
