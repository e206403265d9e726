"""A process dies at any place where a crash could matter: the database ends as if nothing had happened."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.crash.matrix import COMMITS, EXEMPT, FURTHER, OTHERS, PERIODIC, Case, all_cases
from tests.crash.points import commit_points, other_places
from tests.crash.scenarios import SCENARIOS
from tests.crash.scene import Scene, count_twice
from tests.crash.system import Places, System
from tests.deliveries import age
from worker.runtime import Runtime
from worker.states import PeriodicTask


def test_every_place_where_something_is_committed_is_in_the_matrix() -> None:
    in_matrix = COMMITS.keys() | {case.place.rpartition(":")[0] for case in FURTHER if case.first}
    found = commit_points()
    assert found - in_matrix - EXEMPT.keys() == set(), "give it its place in tests/crash/matrix.py"
    assert (in_matrix | EXEMPT.keys()) - found == set(), "this is no longer in the code"
    assert in_matrix & EXEMPT.keys() == set()


def test_every_other_place_is_in_the_matrix() -> None:
    assert other_places() == OTHERS.keys()
    assert set(PeriodicTask) == PERIODIC.keys()


@pytest.mark.parametrize("case", tuple(all_cases()), ids=str)
def test_who_dies_anywhere_changes_nothing(
    case: Case,
    system: System,
    crash_runtime: Runtime,
    enter: Callable[[], Scene],
    expected: dict[str, dict[str, Any]],
) -> None:
    undisturbed, scene = expected[case.scenario], enter()
    _arm(system.places, scene, case)
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(SCENARIOS[case.scenario], scene)
        if case.first is not None:
            system.places.wait_held(case.first)
            system.places.arm(case.place)
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
