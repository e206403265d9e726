"""While something is paused, periodic tasks leave it alone, and nobody is told that they are late."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender
from tests.clock import pass_time
from tests.deliveries import add_endpoint, tell
from tests.receiver import Receiver, running_receiver
from tests.subscriptions import plan
from worker.operations.deliveries import deliver
from worker.operations.halts import halt, lift
from worker.operations.periodic import run_periodic
from worker.operations.standings import late_tasks, read_standings
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Halt, PeriodicTask, Queue
from worker.subscriptions import activate_due


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers on this machine are allowed."""
    return settings.model_copy(update={"webhook_allow_private": True})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real one."""
    with running_receiver() as started:
        yield started


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"])
    return new_sender(runtime, "north")


def backlog(runtime: Runtime, task: PeriodicTask) -> int:
    """How many things are due."""
    with runtime.transaction() as connection:
        return read_standings(connection, runtime.settings)[task].backlog


def pause(runtime: Runtime, sender: Sender, scope: str) -> None:
    """Pause everything, the queue of periodic tasks, or the sender's organization."""
    organization = sender.principal.organization_id if scope == "organization" else None
    halt(runtime, Halt.PAUSE, Queue.PERIODIC if scope == "queue" else None, organization, None)


@pytest.mark.parametrize("scope", ["everything", "queue"])
def test_a_paused_task_does_not_begin_and_is_not_late(runtime: Runtime, sender: Sender, scope: str) -> None:
    with runtime.transaction() as connection:
        connection.execute(text("update organization set created_at = created_at - interval '1 day'"))
    assert PeriodicTask.SWEEP in late_tasks(runtime)
    pause(runtime, sender, scope)
    assert run_periodic(runtime, PeriodicTask.SWEEP, lambda _: 1) == 0
    assert late_tasks(runtime) == []
    lift(runtime, None, None)
    assert run_periodic(runtime, PeriodicTask.SWEEP, lambda _: 1) == 1


def test_other_pauses_hold_up_no_periodic_task(runtime: Runtime, sender: Sender) -> None:
    pause(runtime, sender, "organization")
    halt(runtime, Halt.PAUSE, Queue.BULK, None, None)
    halt(runtime, Halt.DRAIN, None, None, None)
    assert run_periodic(runtime, PeriodicTask.SWEEP, lambda _: 1) == 1


@pytest.mark.parametrize("scope", ["everything", "queue", "organization"])
def test_nothing_starts_while_it_is_paused_and_all_of_it_afterwards(
    runtime: Runtime, sender: Sender, scope: str
) -> None:
    claim(runtime, sender, b"a1\na2\na3\n")
    plan(runtime, "a3", timedelta(0))
    other = new_sender(runtime, "south")
    add_devices(runtime, ["b1"])
    claim(runtime, other, b"b1\n")
    pass_time(runtime, days=15)
    pause(runtime, sender, scope)
    others = 1 if scope == "organization" else 0
    assert backlog(runtime, PeriodicTask.ACTIVATE) == others
    assert activate_due(runtime) == others
    lift(runtime, None, None)
    assert activate_due(runtime) == 4 - others


@pytest.mark.parametrize("scope", ["everything", "queue", "organization"])
def test_a_paused_organization_is_told_afterwards(
    runtime: Runtime, sender: Sender, receiver: Receiver, scope: str
) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender, 3)
    pause(runtime, sender, scope)
    assert (backlog(runtime, PeriodicTask.DELIVER), deliver(runtime), receiver.received) == (0, 0, [])
    lift(runtime, None, None)
    assert (backlog(runtime, PeriodicTask.DELIVER), deliver(runtime), len(receiver.received)) == (3, 3, 3)
