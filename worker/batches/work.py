"""Work items under their leases: carried out, or handed back. What Celery's tasks call."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from worker.batches import steps
from worker.batches.faults import is_innocent
from worker.batches.steps import Rings
from worker.batches.taking import take_first, take_own, take_turn
from worker.database import bound_session
from worker.errors import LostLease
from worker.queries import leases
from worker.queries.leases import WorkItem
from worker.runtime import Runtime
from worker.states import PeriodicTask, Queue, WorkKind

Step: TypeAlias = Callable[[Runtime, Connection, WorkItem], Rings]

log = structlog.get_logger()

# A conflict with a neighbour is over in a moment; after so many of them in a row the item goes back.
TRIES_UNDER_ONE_LEASE = 5
PAUSE_BETWEEN_TRIES = 0.05
# A batch that could not be worked on for reasons outside of it is looked at again after this time.
PAUSE_AFTER_FAULT = timedelta(seconds=1)
STEPS: Final[Mapping[WorkKind, Step]] = MappingProxyType(
    {WorkKind.RESOLVE: steps.resolve, WorkKind.APPLY: steps.apply, WorkKind.FINISH: steps.finish}
)
HAND_BACK_FOR = 30.0
NEIGHBOURS = 20
SHARE_OF_LEASE = 0.9  # after which the database ends a transaction


def run_resolve(runtime: Runtime, batch_id: str) -> None:
    """Carry out the batch's resolve step if it is free. A doorbell without work is no error."""
    _run(runtime, WorkKind.RESOLVE, batch_id, steps.resolve)


def run_apply(runtime: Runtime, batch_id: str) -> None:
    """Carry out one of the batch's apply steps if one is free."""
    _run(runtime, WorkKind.APPLY, batch_id, steps.apply)


def run_finish(runtime: Runtime, batch_id: str) -> None:
    """Carry out the batch's finish step if it is free and nothing remains to be applied."""
    _run(runtime, WorkKind.FINISH, batch_id, steps.finish)


def answer(runtime: Runtime, kind: WorkKind, batch_id: str) -> None:
    """What a doorbell is answered with.

    A small batch's own step comes first, and then what waits beside it, so that under load not every batch needs
    a doorbell of its own. Otherwise it is the turn of whichever organization has the fewest steps under way in the
    batch's queue. If more waits in the end, it is rung for: whatever was committed before a doorbell was
    answered is found without waiting for the sweep.
    """
    with runtime.engine.connect() as connection:
        item, done = take_first(runtime, connection, kind, batch_id), 0
        while item is not None and _work_on(runtime, connection, item, STEPS[item.kind]):
            done += 1
            if done == NEIGHBOURS or item.batch.queue is Queue.BULK:
                _ring_for_more(runtime, connection, item.batch.queue)
                return
            item = take_turn(runtime, connection, batch_id)


def _ring_for_more(runtime: Runtime, connection: Connection, queue: Queue) -> None:
    with connection.begin():
        waiting = leases.find_waiting(connection, queue, runtime.settings.max_attempts)
    if waiting is not None:
        runtime.doorbell.ring(*waiting, queue)


def _run(runtime: Runtime, kind: WorkKind, batch_id: str, step: Step) -> None:
    with runtime.engine.connect() as connection:
        item = take_own(runtime, connection, batch_id, kind)
        if item is not None:
            _work_on(runtime, connection, item, step)


def _work_on(runtime: Runtime, connection: Connection, item: WorkItem, step: Step) -> bool:
    """Whether the step was done; then all that it rings for is rung."""
    rings = _carry_out(runtime, connection, item, step)
    for ring in rings or ():
        if isinstance(ring, PeriodicTask):
            runtime.doorbell.nudge(ring)
        else:
            runtime.doorbell.ring(ring.kind, item.batch.public_id, ring.queue, ring.times)
    return rings is not None


def _carry_out(runtime: Runtime, connection: Connection, item: WorkItem, step: Step) -> Rings | None:
    """What to ring for when the step is done; None if it was not."""
    bound = log.bind(batch_id=item.batch.public_id, step=item.kind.value, number=item.number, attempt=item.attempts)
    started = time.monotonic()
    try:
        _bound(connection, item.lease * SHARE_OF_LEASE)
        rings = _try(runtime, connection, item, step)
    except LostLease:
        bound.info("lease lost, nothing done")
        return None
    except BaseException as error:
        innocent = is_innocent(error)
        bound.warning("step not done", innocent=innocent, exc_info=not innocent, error=type(error).__name__)
        connection.invalidate()
        in_time = time.monotonic() - started < item.lease.total_seconds() * SHARE_OF_LEASE
        _hand_back(runtime, item, refund=innocent, in_time=in_time)
        if innocent and isinstance(error, Exception):
            return None
        raise
    bound.info("step done", seconds=round(time.monotonic() - started, 3), rows=item.rows)
    return rings


def _try(runtime: Runtime, connection: Connection, item: WorkItem, step: Step) -> Rings:
    for _ in range(TRIES_UNDER_ONE_LEASE - 1):
        try:
            return step(runtime, connection, item)
        except Exception as error:
            if not is_innocent(error) or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
        time.sleep(PAUSE_BETWEEN_TRIES * random.random())  # noqa: S311  # jitter, not a secret
    return step(runtime, connection, item)


def _hand_back(runtime: Runtime, item: WorkItem, *, refund: bool, in_time: bool) -> None:
    """Free the item at once instead of when its lease is over; the database may be away for a while.

    A lease dies with its connection, so a neighbour may have been faster. Whoever lost the item by being slow has
    lost the attempt, too.
    """
    deadline = time.monotonic() + HAND_BACK_FOR
    while time.monotonic() < deadline:
        try:
            with runtime.transaction() as connection:
                is_ours = leases.hand_back(connection, item, refund=refund, pause=PAUSE_AFTER_FAULT)
                if refund and in_time and not is_ours:
                    leases.refund(connection, item)
        except DBAPIError:
            time.sleep(0.5)
        else:
            return


def _bound(connection: Connection, limit: timedelta) -> None:
    """The time-outs stay with the connection: most leases need no others than the one before."""
    if connection.info.get("bound") != limit:
        with connection.begin():
            bound_session(connection, limit)
        connection.info["bound"] = limit
