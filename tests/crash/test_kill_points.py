"""A process dies at any place where a crash could matter: the database ends as if nothing had happened."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.crash.matrix import Case, all_cases, known_points
from tests.crash.scenarios import SCENARIOS
from tests.crash.scene import Scene, count_twice
from tests.crash.system import Places, System
from tests.deliveries import age
from worker.runtime import Runtime


@pytest.fixture(scope="module", autouse=True)
def _every_place_has_a_name(system: System) -> Iterator[None]:
    """What a process came to and the code does not show would be found here."""
    system.places.record()
    yield
    assert {place.rpartition(":")[0] for place in system.places.reached()} - known_points() == set()


@pytest.fixture
def places(system: System) -> Iterator[Places]:
    """Those of the system, where nobody is held any more in the end."""
    yield system.places
    system.places.release_all()


@pytest.mark.parametrize("case", tuple(all_cases()), ids=str)
def test_who_dies_anywhere_changes_nothing(
    case: Case,
    system: System,
    places: Places,
    crash_runtime: Runtime,
    enter: Callable[[], Scene],
    expected: dict[str, dict[str, Any]],
) -> None:
    undisturbed, scene = expected[case.scenario], enter()
    _arm(places, scene, case)
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(SCENARIOS[case.scenario], scene)
        if case.first is not None:
            places.wait_held(case.first)
            places.arm(case.place)
            system.kill_held(case.first, "process")
        system.kill_held(case.place, case.victim)
        age(crash_runtime, timedelta(minutes=1))  # or what was just being sent would wait for the end of its lease
        acting.result(90)
    scene.settle()
    told = scene.told()
    scene.leave()
    assert told == undisturbed
    assert count_twice(told) == {}


def _arm(places: Places, scene: Scene, case: Case) -> None:
    """Hold whoever comes to the place of the case once the scene has come to its stage."""
    place = case.first or case.place

    def arrive(stage: str) -> None:
        if stage == case.stage:
            places.arm(place)

    scene.on_stage = arrive
    if case.stage is None:
        places.arm(place)
