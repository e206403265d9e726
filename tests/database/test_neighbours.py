"""Under load a worker carries out what waits beside the batch that it was rung for."""

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, new_sender, send
from worker.batches import get_batch, work
from worker.batches.taking import take_own
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import PeriodicTask, Queue, WorkKind


class Listener:
    """A doorbell that notes for which batches it was rung."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        assert (kind, queue, times) == (WorkKind.RESOLVE, Queue.INTERACTIVE, 1)
        self.heard.append(batch_id)

    def nudge(self, task: PeriodicTask) -> None:
        raise AssertionError(task)

    def waiting(self, queue: Queue) -> int | None:
        assert queue
        return len(self.heard)

    def close(self, timeout: float) -> None:
        assert timeout >= 0


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, [f"a{number}" for number in range(30)])
    return new_sender(runtime, "north")


def states(runtime: Runtime, sender: Sender, batch_ids: list[str]) -> list[str]:
    return [get_batch(runtime, sender.principal, batch_id)["state"] for batch_id in batch_ids]


def test_what_waits_is_carried_out_without_a_doorbell(runtime: Runtime, sender: Sender) -> None:
    batch_ids = [send(runtime, sender, f"a{number}\n".encode()) for number in range(4)]
    work.answer(runtime, WorkKind.RESOLVE, batch_ids[0])
    assert states(runtime, sender, batch_ids) == ["completed"] * 4


def test_it_ends_after_twenty_and_rings_for_the_next(runtime: Runtime, sender: Sender) -> None:
    listener = Listener()
    heard = Runtime(runtime.settings, runtime.engine, runtime.keys, listener)
    batch_ids = [send(runtime, sender, f"a{number}\n".encode()) for number in range(22)]
    work.answer(heard, WorkKind.RESOLVE, batch_ids[0])
    assert states(runtime, sender, batch_ids) == ["completed"] * 20 + ["received"] * 2
    assert listener.heard == [batch_ids[20]]


def test_whoever_answers_for_a_large_batch_leaves_small_ones_alone(
    runtime: Runtime, settings: Settings, sender: Sender
) -> None:
    tiny = settings.model_copy(update={"chunk_size": 1})
    large = send(Runtime(tiny, runtime.engine, runtime.keys, runtime.doorbell), sender, b"a1\na2\na3\n")
    small = send(runtime, sender, b"a4\n")
    work.answer(Runtime(tiny, runtime.engine, runtime.keys, runtime.doorbell), WorkKind.RESOLVE, large)
    assert states(runtime, sender, [large, small]) == ["applying", "received"]


def test_a_fault_ends_it(runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise ZeroDivisionError

    batch_ids = [send(runtime, sender, f"a{number}\n".encode()) for number in range(3)]
    monkeypatch.setattr("worker.batches.steps.mark_duplicates", stop)
    with pytest.raises(ZeroDivisionError):
        work.answer(runtime, WorkKind.RESOLVE, batch_ids[0])
    monkeypatch.undo()
    assert states(runtime, sender, batch_ids) == ["resolving", "received", "received"]


def test_organizations_take_turns_however_much_one_has_waiting(runtime: Runtime, sender: Sender) -> None:
    greedy = [send(runtime, sender, f"a{number}\n".encode()) for number in range(25)]
    other = new_sender(runtime, "south")
    add_devices(runtime, ["b1"])
    modest = send(runtime, other, b"b1\n")
    with runtime.transaction() as connection:  # as if a worker were busy with the greedy one
        connection.execute(
            text("""update work_item set lease_expires_at = now() + interval '1 minute',
            backend_pid = pg_backend_pid() where batch_key = (select key from batch where public_id = :batch)"""),
            {"batch": greedy[0]},
        )
    work.answer(runtime, WorkKind.RESOLVE, greedy[1])
    assert states(runtime, other, [modest]) == ["completed"]
    with runtime.transaction() as connection:
        order = connection.execute(
            text("select public_id from batch where finished_at is not null order by finished_at")
        )
        assert list(order.scalars())[1] == modest


def test_an_organization_has_no_more_than_its_share_under_way(runtime: Runtime, sender: Sender) -> None:
    one = runtime.settings.model_copy(update={"max_running_steps": 1})
    batch_ids = [send(runtime, sender, f"a{number}\n".encode()) for number in range(3)]
    with runtime.transaction() as connection:
        connection.execute(
            text("""update work_item set lease_expires_at = now() + interval '1 minute',
            backend_pid = pg_backend_pid() where batch_key = (select key from batch where public_id = :batch)"""),
            {"batch": batch_ids[0]},
        )
    work.answer(Runtime(one, runtime.engine, runtime.keys, runtime.doorbell), WorkKind.APPLY, batch_ids[1])
    assert states(runtime, sender, batch_ids) == ["received"] * 3
    work.answer(runtime, WorkKind.APPLY, batch_ids[1])
    assert states(runtime, sender, batch_ids) == ["received", "completed", "completed"]


def test_what_its_worker_left_goes_before_what_waits(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    left, *waiting = [send(runtime, sender, f"a{number}\n".encode()) for number in range(4)]
    doomed = build_runtime(settings)
    with doomed.engine.connect() as connection:
        assert take_own(doomed, connection, left, WorkKind.RESOLVE) is not None
    doomed.close()
    work.answer(runtime, WorkKind.RESOLVE, left)
    with runtime.transaction() as connection:
        order = connection.execute(text("select public_id from batch order by finished_at"))
        assert list(order.scalars()) == [left, *waiting]
