"""Taking work: under a lease that is committed before the work starts, on the connection that does the work."""

from datetime import datetime
from typing import cast

import structlog
from sqlalchemy import Connection

from worker.batches.steps import POISONED
from worker.database import one_statement
from worker.queries import batches, events, leases
from worker.queries.leases import Orphan, WorkItem
from worker.runtime import Runtime
from worker.states import Queue, WorkKind

_log = structlog.get_logger()


def take_first(runtime: Runtime, connection: Connection, kind: WorkKind, batch_id: str) -> WorkItem | None:
    """What a doorbell leads to: the step of a small batch, a step left by its worker, or the step whose turn it is.

    What was left goes before: while there is other work it would have to wait for all of that.
    """
    item = None
    if kind is WorkKind.RESOLVE:
        item = _take_fresh(runtime, connection, batch_id, kind, Queue.INTERACTIVE)
    if item is None:
        with connection.begin():
            item = _take_orphan(runtime, connection, batch_id, kind, _terms(runtime))
    if item is None:
        item = take_turn(runtime, connection, batch_id)
    return item


def take_turn(runtime: Runtime, connection: Connection, batch_id: str) -> WorkItem | None:
    """The next step in the batch's queue, of whichever organization has the fewest under way."""
    settings = runtime.settings
    with one_statement(connection):
        backend = _backend_of(connection)
        return leases.take_turn(
            connection, batch_id, settings.max_attempts, _terms(runtime), backend, settings.max_running_steps
        )


def take_own(runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind) -> WorkItem | None:
    """A step of this very batch that is free or was left by its worker."""
    item = _take_fresh(runtime, connection, batch_id, kind)
    if item is not None:
        return item
    with connection.begin():
        return _take_orphan(runtime, connection, batch_id, kind, _terms(runtime))


def _take_fresh(
    runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind, queue: Queue | None = None
) -> WorkItem | None:
    terms, attempts = _terms(runtime), runtime.settings.max_attempts
    with one_statement(connection):
        return leases.take_fresh(connection, batch_id, kind, attempts, terms, _backend_of(connection), queue)


def _take_orphan(
    runtime: Runtime, connection: Connection, batch_id: str, kind: WorkKind, terms: leases.Terms
) -> WorkItem | None:
    """Whoever held it is ended first: a worker that only slept could still hold what its successor wants."""
    orphan = leases.find_orphan(connection, batch_id, kind, runtime.settings.max_attempts)
    if orphan is None:
        return None
    if orphan.backend_pid is not None and orphan.backend_start is not None:
        leases.end_backend(connection, orphan.backend_pid, orphan.backend_start)
    if orphan.attempts >= runtime.settings.max_attempts:
        _give_up(runtime, connection, orphan)
        return None
    return leases.take_over(connection, orphan.key, terms, _backend_of(connection))


def _terms(runtime: Runtime) -> leases.Terms:
    settings = runtime.settings
    return leases.Terms(settings.lease, settings.lease_per_million_rows, settings.max_rows)


def _give_up(runtime: Runtime, connection: Connection, orphan: Orphan) -> None:
    """Isolate what ended its worker again and again; the other steps of the batch go on."""
    _log.error("step given up", batch_id=orphan.batch_id, step=orphan.kind.value, attempts=orphan.attempts)
    leases.poison_item(connection, orphan.key)
    if orphan.kind is not WorkKind.APPLY:
        batches.fail_batch(connection, orphan.batch_key, POISONED)
        events.emit_batch_event(connection, orphan.batch_key, runtime.settings.delivery_lifetime)


def _backend_of(connection: Connection) -> tuple[int, datetime]:
    """Asked once per connection: the server's list of its processes is slow to read."""
    backend = connection.info.get("backend")
    if backend is None:
        backend = connection.info["backend"] = leases.own_backend(connection)
    return cast("tuple[int, datetime]", backend)
