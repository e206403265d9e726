"""The networks to the servers lose, delay or cut what they carry: nothing is lost, nothing is done twice."""

import time

import pytest

from tests.crash.faults.fragile import APPLYING, Fragile
from tests.crash.scene import large
from tests.embedded.waiting import wait_until

both = pytest.mark.parametrize("where", ["broker", "database"])


@both
def test_a_hole_in_the_network_in_the_middle_of_a_chunk(fragile: Fragile, where: str) -> None:
    with fragile.carrying_out(large, held_at=APPLYING) as scene:
        fragile.networks[where].swallow()
        fragile.system.places.release(APPLYING)
        time.sleep(0.5)  # things are said into the hole
        fragile.networks[where].heal()
        del scene


@both
def test_a_slow_network(fragile: Fragile, where: str) -> None:
    fragile.networks[where].delay(0.02)
    with fragile.carrying_out(large):
        pass


@both
def test_connections_that_are_cut_in_the_middle_of_a_message(fragile: Fragile, where: str) -> None:
    network = fragile.networks[where]
    with fragile.carrying_out(large, held_at=APPLYING):
        network.cut(times=10)
        fragile.system.places.release(APPLYING)
        wait_until(lambda: network.cuts_left == 0)
