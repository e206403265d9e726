"""A worker that stood still past its lease, as on a machine that slept, is ended and takes no effect when it wakes."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, holders, new_sender, outcomes, send
from tests.crash.races.conftest import HandOf, work_items
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.operations import blocked, codes
from worker.batches import get_batch
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import WorkKind

ABOUT_TO_COMPLETE = "worker.batches.steps._complete:before"
IN_A_COPY = "worker.pgcopy.copy_rows:middle"
_LEASE_IS_OVER = text("select bool_and(lease_expires_at < clock_timestamp() - interval '1 second') from work_item")
_STILL_THERE = text("select count(*) from work_item w join pg_stat_activity a on a.pid = w.backend_pid")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With leases of one second."""
    return settings.model_copy(update={"lease": timedelta(seconds=1), "lease_per_million_rows": timedelta(0)})


def test_a_worker_parked_in_a_copy_which_no_time_out_ends_is_ended_by_its_successor(
    runtime: Runtime, places: Places, hand: HandOf
) -> None:
    names = [f"a{number:04}" for number in range(1000)]
    add_devices(runtime, names)
    sender = new_sender(runtime, "north")
    batch_id = send(runtime, sender, "\n".join(names).encode())
    places.arm(IN_A_COPY)
    parked = hand(WorkKind.RESOLVE, batch_id)
    places.wait_held(IN_A_COPY)
    parked.park()
    places.release(IN_A_COPY)
    with runtime.reading() as connection:
        wait_until(lambda: connection.execute(_LEASE_IS_OVER).scalar())
        assert connection.execute(_STILL_THERE).scalar() == 1
    carry_out(runtime, batch_id)
    parked.wake()
    assert parked.rings() == []
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 1000}
    assert len(outcomes(runtime, batch_id)) == len(holders(runtime)) == 1000
    assert [(item["attempts"], item["end_state"]) for item in work_items(runtime, WorkKind.RESOLVE)] == [(2, "done")]


def test_a_parked_worker_whose_uncommitted_claims_block_others_is_ended_by_its_own_time_out(
    runtime: Runtime, sender: Sender, rival: Sender, places: Places, hand: HandOf
) -> None:
    batch_id, wanted = send(runtime, sender, b"d1\nd2\n"), send(runtime, rival, b"d2\nd3\n")
    places.arm(ABOUT_TO_COMPLETE)
    parked = hand(WorkKind.RESOLVE, batch_id)
    places.wait_held(ABOUT_TO_COMPLETE)
    parked.park()
    waiting = hand(WorkKind.RESOLVE, wanted)
    wait_until(blocked(runtime))
    waiting.rings()  # nobody but the time-out lets it go on
    places.release(ABOUT_TO_COMPLETE)
    carry_out(runtime, wanted)
    carry_out(runtime, batch_id)
    parked.wake()
    assert parked.rings() == []
    assert codes(runtime, wanted) == {"d2": "claimed", "d3": "claimed"}
    assert codes(runtime, batch_id) == {"d1": "claimed", "d2": "already_claimed"}
    assert len(holders(runtime)) == 3
    assert verify(runtime) == []
