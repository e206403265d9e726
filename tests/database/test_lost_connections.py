"""A worker that only lost its connection has cost nothing, also when a neighbour took its work over at once."""

import threading

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, new_sender, send
from tests.embedded.waiting import wait_until
from worker.batches import work
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings

STUCK = text("select exists (select from pg_locks where not granted)")
END_HOLDER = text("select pg_terminate_backend(backend_pid, 5000) from work_item")
TAKE_OVER = text("update work_item set fence = fence + 1, attempts = attempts + 1")


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"])
    return new_sender(runtime, "north")


def _is_stuck(runtime: Runtime) -> bool:
    with runtime.transaction() as connection:
        return bool(connection.execute(STUCK).scalar_one())


def test_an_attempt_that_lost_its_connection_is_uncounted_although_its_item_was_taken_over(
    runtime: Runtime, settings: Settings, sender: Sender
) -> None:
    batch_id, theirs = send(runtime, sender, b"a1\na2\n"), build_runtime(settings)
    worker = threading.Thread(target=work.run_resolve, args=(theirs, batch_id))
    with runtime.engine.begin() as rival:
        rival.execute(text("lock table claim in share row exclusive mode"))
        worker.start()
        wait_until(lambda: _is_stuck(runtime))
        rival.execute(text("select from work_item for update"))  # so it cannot be handed back
        rival.execute(END_HOLDER)
        wait_until(lambda: _is_stuck(runtime))
        rival.execute(TAKE_OVER)
    worker.join()
    theirs.close()
    with runtime.transaction() as connection:
        assert connection.execute(text("select fence, attempts from work_item")).one() == (2, 1)
