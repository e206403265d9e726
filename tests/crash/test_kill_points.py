"""A process dies before or after each of its commits: the database ends as if nothing had happened."""

import threading
from typing import Any

import pytest

from tests.crash.scene import SCENARIOS, count_twice, new_scene
from tests.crash.system import System
from worker.runtime import Runtime

KILLED = {
    "worker.batches.submit.submit": ("small", "api"),
    "worker.batches.taking._take_fresh": ("small", "process"),
    "worker.batches.taking.take_turn": ("large", "process"),
    "worker.batches.steps._complete": ("small", "process"),
    "worker.batches.steps._hand_out": ("large", "process"),
    "worker.batches.steps.apply": ("large", "process"),
    "worker.batches.steps.finish": ("large", "process"),
    "worker.batches.steps._reject": ("rejected", "process"),
    "worker.batches.lifecycle._change": ("preview", "api"),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("point", KILLED)
def test_a_process_that_is_killed_at_a_commit_changes_nothing(
    point: str, moment: str, system: System, crash_runtime: Runtime, undisturbed: dict[str, dict[str, Any]]
) -> None:
    name, victim = KILLED[point]
    place = f"{point}:{moment}"
    scene = new_scene(crash_runtime, system.api_url)
    system.places.arm(place)
    acting = threading.Thread(target=SCENARIOS[name], args=(scene,))
    acting.start()
    system.kill_held(place, victim)
    acting.join(90)
    assert not acting.is_alive()
    scene.settle()
    told = scene.told()
    assert told == undisturbed[name]
    assert count_twice(told) == {}
