"""Operators stop the beginning of work, or its acceptance: everywhere, in a queue, for an organization."""

import pytest

from tests.claims import Sender, add_devices, carry_out, new_sender, send
from worker.batches import Draining, TooManyWaiting, get_batch
from worker.batches.sweep import sweep
from worker.batches.work import answer
from worker.errors import NotFound
from worker.operations.halts import halt, lift
from worker.runtime import Runtime
from worker.states import Halt, Queue, WorkKind


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, [f"a{number}" for number in range(9)])
    return new_sender(runtime, "north")


def state(runtime: Runtime, sender: Sender, batch_id: str) -> str:
    return str(get_batch(runtime, sender.principal, batch_id)["state"])


@pytest.mark.parametrize("queue", [None, Queue.INTERACTIVE])
def test_what_is_paused_is_accepted_and_waits_until_it_is_resumed(
    runtime: Runtime, sender: Sender, queue: Queue | None
) -> None:
    halt(runtime, Halt.PAUSE, queue, None, "an index is built")
    batch_id = send(runtime, sender, b"a1\n")
    answer(runtime, WorkKind.RESOLVE, batch_id)
    assert state(runtime, sender, batch_id) == "received"
    assert lift(runtime, queue, None) == 1
    carry_out(runtime, batch_id)
    assert state(runtime, sender, batch_id) == "completed"


def test_a_paused_organization_holds_up_no_other(runtime: Runtime, sender: Sender) -> None:
    other = new_sender(runtime, "south")
    halt(runtime, Halt.PAUSE, None, sender.principal.organization_id, None)
    paused, running = send(runtime, sender, b"a1\n"), send(runtime, other, b"a2\n")
    for batch_id in (paused, running):
        answer(runtime, WorkKind.RESOLVE, batch_id)
    assert state(runtime, sender, paused) == "received"
    assert state(runtime, other, running) == "completed"


def test_the_sweep_does_not_ring_for_what_is_paused(runtime: Runtime, sender: Sender) -> None:
    again = runtime.settings.model_copy(update={"ring_again_after": runtime.settings.ring_again_after * 0})
    impatient = Runtime(again, runtime.engine, runtime.keys, runtime.doorbell)
    send(impatient, sender, b"a1\n")
    halt(runtime, Halt.PAUSE, None, None, None)
    assert sweep(impatient).rung == 0
    lift(runtime, None, None)
    assert sweep(impatient).rung == 1


def test_what_is_drained_takes_nothing_new_and_is_worked_off(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    halt(runtime, Halt.DRAIN, None, None, None)
    with pytest.raises(Draining):
        send(runtime, sender, b"a2\n")
    carry_out(runtime, batch_id)
    assert state(runtime, sender, batch_id) == "completed"


def test_a_drained_queue_still_takes_what_belongs_to_the_other(runtime: Runtime, sender: Sender) -> None:
    halt(runtime, Halt.DRAIN, Queue.BULK, None, None)
    tiny = Runtime(
        runtime.settings.model_copy(update={"chunk_size": 2}), runtime.engine, runtime.keys, runtime.doorbell
    )
    with pytest.raises(Draining):
        send(tiny, sender, b"a1\na2\na3\na4\n")
    assert state(runtime, sender, send(tiny, sender, b"a1\n")) == "received"


def test_no_more_batches_wait_in_all_than_the_setting_allows(runtime: Runtime, sender: Sender) -> None:
    two = Runtime(
        runtime.settings.model_copy(update={"max_waiting_in_all": 2}), runtime.engine, runtime.keys, runtime.doorbell
    )
    other = new_sender(runtime, "south")
    send(two, sender, b"a1\n")
    send(two, other, b"a2\n")
    with pytest.raises(TooManyWaiting):
        send(two, other, b"a3\n")


def test_an_unknown_organization_cannot_be_halted(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        halt(runtime, Halt.PAUSE, None, "org_nobody", None)
    assert lift(runtime, None, None) == 0
