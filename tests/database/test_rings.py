"""A doorbell is rung when its work is committed: whoever answers at once finds it, and need not wait for the sweep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from worker.batches import SubmitOptions, cancel, confirm, plan_held, resume, revert, work
from worker.batches.sweep import prune
from worker.doorbell import SilentDoorbell
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import Queue, WorkKind

DEVICES = ["d1", "d2", "d3", "d4"]
Rung = tuple[str, int, bool]

_IS_THERE = text("""
    select exists (select from work_item w join batch b on b.key = w.batch_key
        where b.public_id = :batch and w.kind = :kind and w.queue = :queue and w.done_at is null)""")


@dataclass
class AnsweredAtOnce(SilentDoorbell):
    """Notes what was rung for, how often, and whether somebody else could already see it."""

    visitor: Runtime
    rung: list[Rung] = field(default_factory=list)

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        with self.visitor.reading() as connection:
            values = {"batch": batch_id, "kind": kind, "queue": queue}
            self.rung.append((kind.value, times, bool(connection.execute(_IS_THERE, values).scalar_one())))


@pytest.fixture
def bell(settings: Settings) -> Iterator[AnsweredAtOnce]:
    visitor = build_runtime(settings)
    yield AnsweredAtOnce(visitor)
    visitor.close()


@pytest.fixture
def runtime(runtime: Runtime, bell: AnsweredAtOnce) -> Runtime:
    """With small chunks."""
    small = runtime.settings.model_copy(update={"chunk_size": 2, "hold_window": timedelta(hours=1)})
    return replace(runtime, settings=small, doorbell=bell)


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, DEVICES)
    return new_sender(runtime, "north")


def test_a_batch_is_there_when_it_is_rung_for(runtime: Runtime, sender: Sender, bell: AnsweredAtOnce) -> None:
    send(runtime, sender, b"d1\nd2\n")
    assert bell.rung == [("resolve", 1, True)]


def test_chunks_and_the_end_are_there_when_they_are_rung_for(
    runtime: Runtime, sender: Sender, bell: AnsweredAtOnce
) -> None:
    batch_id = send(runtime, sender, "\n".join(DEVICES).encode())
    bell.rung.clear()
    work.run_resolve(runtime, batch_id)
    assert bell.rung == [("apply", 2, True)]
    carry_out(runtime, batch_id)
    assert bell.rung[1:] == [("finish", 1, True)]


def _confirm(runtime: Runtime, sender: Sender) -> None:
    batch_id = claim(runtime, sender, b"d1\n", preview=True)["id"]
    confirm(runtime, sender.principal, batch_id, require_unchanged=False)


def _lapse(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, b"d1\n", preview=True)
    with runtime.transaction() as connection:
        connection.execute(text("update batch set preview_expires_at = clock_timestamp() - interval '1 second'"))
    assert prune(runtime) == 1


def _cancel(runtime: Runtime, sender: Sender) -> None:
    cancel(runtime, sender.principal, claim(runtime, sender, b"d1\n", preview=True)["id"])


def _revert(runtime: Runtime, sender: Sender) -> None:
    revert(runtime, sender.principal, claim(runtime, sender, b"d1\n")["id"])


def _plan(runtime: Runtime, sender: Sender) -> None:
    plan_held(runtime, sender.principal, sender.project_id, SubmitOptions("devices"))


def _resume(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"d1\n")
    with runtime.transaction() as connection:
        connection.execute(text("update work_item set attempts = 3"))
    carry_out(runtime, batch_id)
    resume(runtime, sender.principal, batch_id)


@pytest.mark.parametrize(
    "act", [_confirm, _lapse, _cancel, _revert, _plan, _resume], ids=lambda each: each.__name__.strip("_")
)
def test_what_follows_a_command_is_there_when_it_is_rung_for(
    runtime: Runtime, sender: Sender, bell: AnsweredAtOnce, act: Callable[[Runtime, Sender], Any]
) -> None:
    act(runtime, sender)
    assert ("resolve", 1, True) in bell.rung[-2:]
