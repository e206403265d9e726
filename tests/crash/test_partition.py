"""A host loses its network in the middle of a chunk: another one goes on, and nothing is there twice."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.crash.network import Host, another_host, settings_there
from tests.crash.scene import Scene, count_twice, new_scene
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.jobs.programs import ALL_QUEUES, PROGRAM, running
from worker.embedded.ports import free_port
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings

WORKER = ("worker", *ALL_QUEUES, "--concurrency", "2")
APPLYING = "worker.batches.steps.apply:before"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """The crash points of all programs on both hosts."""
    monkeypatch.setenv("CLAIMD_CRASHPOINTS", str(tmp_path / "places"))
    return Places(tmp_path / "places")


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Whoever is not heard of for two seconds has lost its step."""
    changes = {
        "api_port": free_port(),
        "chunk_size": 40,
        "lease": timedelta(seconds=2),
        "sweep_interval": timedelta(seconds=0.2),
        "ring_again_after": timedelta(seconds=0.5),
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def host() -> Iterator[Host]:
    with another_host() as made:
        yield made


def test_a_host_that_is_cut_off_in_mid_chunk_is_replaced_and_may_come_back(
    host: Host, impatient: Settings, places: Places, runtime: Runtime, tmp_path: Path
) -> None:
    with (
        settings_there(host, impatient) as theirs,
        running(impatient, tmp_path / "api.log", "api"),
        running(theirs, tmp_path / "there.log", *WORKER, program=[*host.program, *PROGRAM]) as there,
    ):
        scene = new_scene(runtime, f"http://127.0.0.1:{impatient.api_port}")
        places.arm(APPLYING)
        batch_id = scene.send(scene.csv(*scene.devices))
        places.wait_held(APPLYING)
        host.pull()
        places.release(APPLYING)
        with running(impatient, tmp_path / "here.log", *WORKER):
            scene.wait_end(batch_id, "completed")
        host.plug_in()
        scene.wait_end(scene.send(scene.csv(*scene.devices[:5])), "completed")
        wait_until(lambda: there.process.poll() is None)
        _check(scene, runtime)


def _check(scene: Scene, runtime: Runtime) -> None:
    told = scene.told()
    assert len(told["claims"]) == len(scene.devices)
    assert [(row[1], row[2]) for row in told["batches"]] == [("completed", 100), ("completed", 5)]
    assert count_twice(told) == {}
    assert verify(runtime) == []
