"""Every place where a crash could matter has its killing, or a reason why it needs none."""

from tests.crash.matrix import COMMITS, EXEMPT, FURTHER, OTHERS, PERIODIC
from tests.crash.points import commit_points, other_places
from worker.states import PeriodicTask


def test_every_place_where_something_is_committed_is_in_the_matrix() -> None:
    in_matrix = COMMITS.keys() | {case.point for case in FURTHER if case.first}
    found = commit_points()
    assert found - in_matrix - EXEMPT.keys() == set(), "give it its place in tests/crash/matrix.py"
    assert (in_matrix | EXEMPT.keys()) - found == set(), "this is no longer in the code"
    assert in_matrix & EXEMPT.keys() == set()


def test_every_other_place_is_in_the_matrix() -> None:
    assert other_places() == OTHERS.keys()
    assert set(PeriodicTask) == PERIODIC.keys()
