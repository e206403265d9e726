"""What must hold when all has ended."""

import time
from collections.abc import Iterator
from typing import Final

from sqlalchemy import text

from tests.deliveries import make_due
from tests.receiver import Receiver
from tests.soak.client import Client
from tests.soak.tally import Tally
from tests.soak.world import World, number_of
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.states import PeriodicTask

_PATIENCE: Final = 300.0
_OPEN = text("""
    select (select count(*) from work_item where done_at is null)
        + (select count(*) from delivery where state = 'waiting')""")
_HELD = text("""
    select d.device_id from claim c join device d on d.key = c.device_key
    join project p on p.key = c.project_key where p.public_id = :project""")
_BATCHES = text("""
    select count(*) from batch b join project p on p.key = b.project_key where p.public_id = :project""")
_TOLD = text("""
    select e.public_id, d.state from delivery d join event e on e.key = d.event_key""")


def settle(runtime: Runtime, tally: Tally) -> None:
    """Wait until nothing is left to be done; deliveries that failed need not wait for their next turn."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with runtime.transaction() as connection:
            if connection.execute(_OPEN).scalar_one() == 0:
                return
        make_due(runtime)
        runtime.doorbell.nudge(PeriodicTask.DELIVER)
        time.sleep(1)
    tally.broke("lost", "some work or delivery does not come to an end")


def judge(runtime: Runtime, world: World, clients: list[Client], receiver: Receiver, tally: Tally) -> None:
    """Compare what all were told with what there is."""
    for client in clients:
        for how, what in _differences(runtime, world, client):
            tally.broke(how, what)
    for number in world.told_twice():
        tally.broke("twice", f"device {number} has two holders")
    for how, what in _deliveries(runtime, {each.event_id for each in receiver.received}, tally):
        tally.broke(how, what)
    found = verify(runtime)
    tally.verified = f"{len(found)} broken" if found else "clean"
    for each in found:
        tally.broke("unexpected", f"{each.invariant}: {each.detail}")


def _differences(runtime: Runtime, world: World, client: Client) -> Iterator[tuple[str, str]]:
    project = client.sender.tenant.project_id
    with runtime.transaction() as connection:
        held = {number_of(each) for each in connection.execute(_HELD, {"project": project}).scalars()}
        batches = connection.execute(_BATCHES, {"project": project}).scalar_one()
    told = world.told(client.number)
    for number in sorted(told - held):
        yield "lost", f"client {client.number} was told to hold {number}"
    for number in sorted(held - told):
        yield "twice", f"client {client.number} holds {number} and was not told"
    if batches != client.sender.batches:
        yield (
            "twice" if batches > client.sender.batches else "lost",
            f"client {client.number} sent {client.sender.batches} batches, there are {batches}",
        )


def _deliveries(runtime: Runtime, received: set[str], tally: Tally) -> Iterator[tuple[str, str]]:
    with runtime.transaction() as connection:
        told = {row.public_id: row.state for row in connection.execute(_TOLD)}
    tally.count("deliveries", len(told))
    for event, state in told.items():
        if state != "delivered" or event not in received:
            yield (
                "lost",
                f"the delivery of {event} is {state}, and it was {'' if event in received else 'not '}received",
            )
    for event in received - told.keys():
        yield "unexpected", f"{event} was received, and there is no such event"
