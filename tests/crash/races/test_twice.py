"""A step that runs a second time after its commit, because something failed behind it, takes no second effect."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, carry_out
from tests.crash.races.conftest import Barrier, HandOf, hand_out, work_items
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.operations import codes
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import WorkKind

APPLIED = "worker.batches.steps.apply:after"
_LOCK = text("lock table work_item in access exclusive mode")
_CLAIMS_AGAIN = text("select exists (select from pg_locks where locktype = 'advisory' and not granted)")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With short leases: nobody waits for a lock longer than half of one."""
    return settings.model_copy(update={"lease": timedelta(seconds=3), "lease_per_million_rows": timedelta(0)})


def test_a_chunk_that_runs_again_after_its_commit_changes_no_outcome(
    runtime: Runtime, sender: Sender, places: Places, hand: HandOf, barrier: Barrier
) -> None:
    """It is committed; the look for open chunks behind it waits for a lock in vain, and all runs again."""
    barrier.open()
    batch_id = hand_out(runtime, sender)
    places.arm(APPLIED)
    working = hand(WorkKind.APPLY, batch_id)
    places.wait_held(APPLIED)
    barrier.close()
    with runtime.transaction() as connection, runtime.reading() as onlooker:
        connection.execute(_LOCK)
        places.release(APPLIED)
        wait_until(lambda: onlooker.execute(_CLAIMS_AGAIN).scalar_one())
    barrier.open()
    assert working.rings() == []
    assert [item["end_state"] for item in work_items(runtime, WorkKind.APPLY)] == ["done", None]
    carry_out(runtime, batch_id)
    assert codes(runtime, batch_id) == dict.fromkeys(["d1", "d2", "d3", "d4"], "claimed")
    assert verify(runtime) == []
