"""Whoever changes a batch locks it before its work items: who takes an item must not wait for the batch."""

import pytest
from sqlalchemy import text

from tests.claims import add_devices, carry_out, new_sender, send
from worker.batches import get_batch, work
from worker.runtime import Runtime


@pytest.mark.parametrize("rows", [b"a1\n", b"a1\na2\na3\n"])
def test_no_step_is_taken_of_a_batch_that_is_just_being_changed(runtime: Runtime, rows: bytes) -> None:
    add_devices(runtime, ["a1", "a2", "a3"])
    sender = new_sender(runtime, "north")
    batch_id = send(runtime, sender, rows)
    with runtime.transaction() as connection:
        connection.execute(text("select from batch for update"))
        work.run_resolve(runtime, batch_id)
        assert connection.execute(text("select fence from work_item")).scalars().all() == [0]
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["state"] == "completed"
