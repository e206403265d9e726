"""Work items under their leases: taken, carried out, handed back. What Celery's tasks call."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from worker.batches import steps
from worker.batches.faults import is_innocent
from worker.batches.steps import POISONED, Rings
from worker.database import bound_session, one_statement
from worker.errors import LostLease
from worker.queries import batches, events, leases
from worker.queries.leases import Orphan, WorkItem
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
        item, done = _take_first(runtime, connection, kind, batch_id), 0
        while item is not None and _work_on(runtime, connection, item, STEPS[item.kind]):
            done += 1
            if done == NEIGHBOURS or item.batch.queue is Queue.BULK:
                _ring_for_more(runtime, connection, item.batch.queue)
                return
            item = _take_turn(runtime, connection, batch_id)


def _ring_for_more(runtime: Runtime, connection: Connection, queue: Queue) -> None:
    with connection.begin():
        waiting = leases.find_waiting(connection, queue, runtime.settings.max_attempts)
    if waiting is not None:
        runtime.doorbell.ring(*waiting, queue)


def _take_first(runtime: Runtime, connection: Connection, kind: WorkKind, batch_id: str) -> WorkItem | None:
    item = None
    if kind is WorkKind.RESOLVE:
        item = _take_fresh(runtime, connection, batch_id, kind, Queue.INTERACTIVE)
    if item is None:
        item = _take_turn(runtime, connection, batch_id)
    if item is None:
        with connection.begin():
            item = _take_orphan(runtime, connection, batch_id, kind, _terms(runtime))
    return item


def _run(runtime: Runtime, kind: WorkKind, batch_id: str, step: Step) -> None:
    with runtime.engine.connect() as connection:
        item = _take(runtime, connection, batch_id, kind)
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


def _take_turn(runtime: Runtime, connection: Connection, batch_id: str) -> WorkItem | None:
    settings = runtime.settings
    with one_statement(connection):
        backend = _backend_of(connection)
        return leases.take_turn(
            connection, batch_id, settings.max_attempts, _terms(runtime), backend, settings.max_running_steps
        )


def _take(runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind) -> WorkItem | None:
    item = _take_fresh(runtime, connection, batch_id, kind)
    if item is not None:
        return item
    with connection.begin():
        return _take_orphan(runtime, connection, batch_id, kind, _terms(runtime))


def _take_fresh(
    runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind, queue: Queue | None = None
) -> WorkItem | None:
    """The lease is committed before the work starts, on the connection that does the work."""
    terms, attempts = _terms(runtime), runtime.settings.max_attempts
    with one_statement(connection):
        return leases.take_fresh(connection, batch_id, kind, attempts, terms, _backend_of(connection), queue)


def _take_orphan(
    runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind, terms: leases.Terms
) -> WorkItem | None:
    """Whoever held it is ended first: a worker that only slept could still hold what its successor wants."""
    orphan = leases.find_orphan(connection, batch_id, kind)
    if orphan is None:
        return None
    if orphan.backend_pid is not None and orphan.backend_start is not None:
        leases.end_backend(connection, orphan.backend_pid, orphan.backend_start)
    if orphan.attempts >= runtime.settings.max_attempts:
        _give_up(runtime, connection, orphan)
        return None
    return leases.take_over(connection, orphan.key, terms, _backend_of(connection))


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
        _hand_back(runtime, item, refund=innocent)
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


def _hand_back(runtime: Runtime, item: WorkItem, *, refund: bool) -> None:
    """Free the item at once instead of when its lease is over; the database may be away for a while."""
    deadline = time.monotonic() + HAND_BACK_FOR
    while time.monotonic() < deadline:
        try:
            with runtime.transaction() as connection:
                leases.hand_back(connection, item, refund=refund, pause=PAUSE_AFTER_FAULT)
        except DBAPIError:
            time.sleep(0.5)
        else:
            return


def _terms(runtime: Runtime) -> leases.Terms:
    settings = runtime.settings
    return leases.Terms(settings.lease, settings.lease_per_million_rows, settings.max_rows)


def _give_up(runtime: Runtime, connection: Connection, orphan: Orphan) -> None:
    """Isolate what ended its worker again and again; the other steps of the batch go on."""
    log.error("step given up", batch_id=orphan.batch_id, step=orphan.kind.value, attempts=orphan.attempts)
    leases.poison_item(connection, orphan.key)
    if orphan.kind is not WorkKind.APPLY:
        batches.fail_batch(connection, orphan.batch_key, POISONED)
        events.emit_batch_event(connection, orphan.batch_key, runtime.settings.delivery_lifetime)


def _bound(connection: Connection, limit: timedelta) -> None:
    """The time-outs stay with the connection: most leases need no others than the one before."""
    if connection.info.get("bound") != limit:
        with connection.begin():
            bound_session(connection, limit)
        connection.info["bound"] = limit


def _backend_of(connection: Connection) -> tuple[int, datetime]:
    """Asked once per connection: the server's list of its processes is slow to read."""
    backend = connection.info.get("backend")
    if backend is None:
        backend = connection.info["backend"] = leases.own_backend(connection)
    return cast("tuple[int, datetime]", backend)
