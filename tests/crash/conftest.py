"""One system of real processes for all tests of a module."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis

from tests.conftest import SECRET_KEY
from tests.crash.scenarios import SCENARIOS
from tests.crash.scene import Scene, new_scene
from tests.crash.system import System, whole_system
from tests.receiver import Receiver, running_receiver
from tests.servers import drop_database, fresh_database
from worker.embedded.ports import free_port
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.tasks.doorbell import CeleryDoorbell


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
            "upload_lease": timedelta(seconds=1),  # for so long the key of a request belongs to an API that died
            "hold_window": timedelta(hours=1),
            "webhook_allow_private": True,
            "max_upload_bytes": 1_000_000,
            "max_attempts": 50,  # the tests kill more often than a batch may cost workers
        }
    )
    with whole_system(settings, folder) as running:
        yield running
    drop_database(url)


@pytest.fixture(scope="module")
def crash_runtime(system: System) -> Iterator[Runtime]:
    """The database as the tests see it, and a doorbell that rings for the system."""
    runtime = build_runtime(system.settings, CeleryDoorbell(system.settings), pool_size=5)
    yield runtime
    runtime.doorbell.close(timeout=2)
    runtime.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where the scenes' endpoints are."""
    with running_receiver() as started:
        yield started


class Undisturbed(dict[str, dict[str, Any]]):
    """What each scenario comes to when nothing happens to it, found out when it is first asked for."""

    def __init__(self, enter: Callable[[], Scene]) -> None:
        super().__init__()
        self._enter = enter

    def __missing__(self, name: str) -> dict[str, Any]:
        scene = self._enter()
        SCENARIOS[name](scene)
        scene.settle()
        self[name] = scene.told()
        scene.leave()
        return self[name]


@pytest.fixture(scope="module")
def enter(system: System, crash_runtime: Runtime, receiver: Receiver) -> Callable[[], Scene]:
    """Makes a new scene, with an endpoint."""
    return partial(new_scene, crash_runtime, system.api_url, receiver)


@pytest.fixture(scope="module")
def expected(enter: Callable[[], Scene]) -> Undisturbed:
    """What scenes with an endpoint come to."""
    return Undisturbed(enter)


@pytest.fixture(scope="module")
def undisturbed(system: System, crash_runtime: Runtime) -> Undisturbed:
    """What scenes without one come to."""
    return Undisturbed(partial(new_scene, crash_runtime, system.api_url))
