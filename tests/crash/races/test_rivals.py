"""Two processes want the same devices, or end the last two chunks, at the same moment."""

import pytest

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from tests.crash.races.conftest import DEVICES, Barrier, HandOf, hand_out, work_items
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.operations import blocked, codes, ended_claims, release
from worker.batches import get_batch, revert
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.states import WorkKind

ABOUT_TO_COMPLETE = "worker.batches.steps._complete:before"
ABOUT_TO_APPLY = "worker.batches.steps.apply:before"
APPLIED = "worker.batches.steps.apply:after"
ABOUT_TO_FINISH = "worker.batches.steps.finish:before"


@pytest.mark.parametrize("devices", [2, 1500], ids=["by_insert", "by_copy"])
def test_the_rival_that_commits_after_the_snapshot_keeps_the_devices(
    runtime: Runtime, places: Places, hand: HandOf, devices: int
) -> None:
    names = [f"a{number:04}" for number in range(devices)]
    add_devices(runtime, names)
    north, south = new_sender(runtime, "north"), new_sender(runtime, "south")
    body = "\n".join(names).encode()
    first, second = send(runtime, north, body), send(runtime, south, body)
    places.arm(ABOUT_TO_COMPLETE)
    rival = hand(WorkKind.RESOLVE, first)
    places.wait_held(ABOUT_TO_COMPLETE)
    late = hand(WorkKind.RESOLVE, second)
    wait_until(blocked(runtime))
    places.release(ABOUT_TO_COMPLETE)
    assert rival.rings() == late.rings() == []
    assert get_batch(runtime, north.principal, first)["totals"] == {"claimed": devices}
    assert get_batch(runtime, south.principal, second)["totals"] == {"already_claimed": devices}
    assert set(holders(runtime).values()) == {north.project_id}


def test_a_device_that_is_released_between_the_insert_and_the_look_is_claimed_by_running_again(
    runtime: Runtime, sender: Sender, rival: Sender, hand: HandOf, barrier: Barrier
) -> None:
    barrier.open()
    claim(runtime, rival, b"d1\n")
    barrier.close()
    batch_id = send(runtime, sender, b"d1\nd2\n")
    working = hand(WorkKind.RESOLVE, batch_id)
    barrier.wait_reached()
    release(runtime, "d1")
    barrier.open()
    working.rings()
    assert codes(runtime, batch_id) == {"d1": "claimed", "d2": "claimed"}
    assert ended_claims(runtime) == ["d1"]
    assert [item["attempts"] for item in work_items(runtime, WorkKind.RESOLVE)] == [1, 1]
    assert verify(runtime) == []


def test_a_claim_that_waits_for_a_revert_gets_what_it_gives_back(
    runtime: Runtime, sender: Sender, rival: Sender, places: Places, hand: HandOf
) -> None:
    batch_id = claim(runtime, sender, b"d1\nd2\n")["id"]
    undone, wanted = revert(runtime, sender.principal, batch_id)["id"], send(runtime, rival, b"d1\nd2\n")
    places.arm(ABOUT_TO_COMPLETE)
    reverting = hand(WorkKind.RESOLVE, undone)
    places.wait_held(ABOUT_TO_COMPLETE)
    claiming = hand(WorkKind.RESOLVE, wanted)
    wait_until(blocked(runtime))
    places.release(ABOUT_TO_COMPLETE)
    reverting.rings()
    claiming.rings()
    assert codes(runtime, undone) == {"d1": "released", "d2": "released"}
    assert codes(runtime, wanted) == {"d1": "claimed", "d2": "claimed"}
    assert ended_claims(runtime) == ["d1", "d2"]
    assert verify(runtime) == []


def test_two_last_chunks_that_end_together_are_finished_exactly_once(
    runtime: Runtime, sender: Sender, places: Places, hand: HandOf
) -> None:
    batch_id = hand_out(runtime, sender)
    places.arm(APPLIED)
    first = hand(WorkKind.APPLY, batch_id)
    pid = places.wait_held(APPLIED)
    places.arm(APPLIED)
    second = hand(WorkKind.APPLY, batch_id)
    wait_until(lambda: places.wait_held(APPLIED) != pid)
    places.release(APPLIED)
    assert first.rings() == second.rings() == ["finish"]  # neither could know that the other would
    places.arm(ABOUT_TO_FINISH)
    finishing = hand(WorkKind.FINISH, batch_id)
    places.wait_held(ABOUT_TO_FINISH)
    assert hand(WorkKind.FINISH, batch_id).rings() == []
    places.release(ABOUT_TO_FINISH)
    finishing.rings()
    assert [outcome for *_, outcome in outcomes(runtime, batch_id)] == ["claimed"] * len(DEVICES)
    assert [item["attempts"] for item in work_items(runtime, WorkKind.FINISH)] == [1]


def test_of_two_last_chunks_the_one_that_commits_later_rings_for_the_end(
    runtime: Runtime, sender: Sender, places: Places, hand: HandOf
) -> None:
    batch_id = hand_out(runtime, sender)
    places.arm(ABOUT_TO_APPLY)
    slow = hand(WorkKind.APPLY, batch_id)
    places.wait_held(ABOUT_TO_APPLY)
    assert hand(WorkKind.APPLY, batch_id).rings() == []
    places.release(ABOUT_TO_APPLY)
    assert slow.rings() == ["finish"]
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": len(DEVICES)}
