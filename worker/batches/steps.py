"""The three steps of a batch. Each ends with its work item's guard, in the transaction that did the work."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import Connection

from worker.batches import operations, settlement
from worker.batches.entries import (
    ENTRY,
    PENDING_DEVICE,
    VERDICT,
    Entries,
    Pending,
    Verdicts,
    cut_chunks,
    cut_parts,
    mark_duplicates,
    scatter,
)
from worker.batches.generated import with_input
from worker.batches.judgement import Judgement, Rules, judge_as_one
from worker.batches.resolution import Resolution, resolve_input
from worker.database import one_snapshot
from worker.errors import LostLease
from worker.intake import InputRejected
from worker.queries import batches, leases, outcomes, packed, work
from worker.queries.batches import Batch
from worker.queries.leases import WorkItem
from worker.runtime import Runtime
from worker.states import BatchState, PeriodicTask, Queue, WorkKind


@dataclass(frozen=True)
class Ring:
    """A doorbell to be rung once the transaction is committed."""

    kind: WorkKind
    queue: Queue
    times: int = 1


Rings = list[Ring | PeriodicTask]


def resolve(runtime: Runtime, connection: Connection, item: WorkItem) -> Rings:
    """Find out what the input names; a small batch is claimed and reported in the same breath.

    Raises:
        LostLease: the lease was lost meanwhile; nothing happened.
    """
    item = with_input(runtime, connection, item)
    try:
        with one_snapshot(connection):
            found = resolve_input(runtime, connection, item.batch)
    except InputRejected as rejected:
        return _reject(runtime, connection, item, rejected)
    pending = mark_duplicates(found.entries)
    if item.batch.cancelled or len(pending) <= runtime.settings.chunk_size:
        return _complete(runtime, connection, item, found, pending)
    return _hand_out(runtime, connection, item, found, pending)


def apply(_runtime: Runtime, connection: Connection, item: WorkItem) -> Rings:
    """Claim the chunks of one work item, in one transaction.

    Raises:
        LostLease: the lease was lost meanwhile; nothing happened.
        ReleasedMeanwhileError: run again.
    """
    with connection.begin():
        chunks = packed.read_chunks(connection, item.batch.key, item.number)
        pending = [np.frombuffer(chunk.input, dtype=PENDING_DEVICE) for chunk in chunks]
        judgement = _judge(connection, item.batch, pending, partial(_stored_parts, connection, item.batch))
        for chunk, verdicts in zip(chunks, judgement.verdicts, strict=True):
            packed.store_verdicts(connection, item.batch.key, chunk.number, verdicts.tobytes())
        if judgement.problem is not None:
            batches.set_problem(connection, item.batch.key, judgement.problem)
        _end(connection, item)
    with connection.begin():
        last = work.count_open_applies(connection, item.batch.key) == 0
    return [Ring(WorkKind.FINISH, item.batch.queue)] if last else []


def finish(runtime: Runtime, connection: Connection, item: WorkItem) -> Rings:
    """Write the results in the order of the report and end the batch.

    Raises:
        LostLease: the lease was lost meanwhile; nothing happened.
    """
    batch = item.batch
    with connection.begin():
        poisoned = work.has_poisoned(connection, batch.key)
        state = settlement.end_state(batch, batch.problem, poisoned=poisoned)
        ending = settlement.Ending(state, POISONED if state is BatchState.FAILED else batch.problem)
        parts = _stored_parts(connection, batch)
        verdicts = _stored_verdicts(connection, batch, sum(map(len, parts)))
        tasks = settlement.settle(connection, runtime.settings, batch, lambda: parts, verdicts, ending)
        if state is not BatchState.FAILED:
            packed.forget_packed(connection, batch.key)
        _end(connection, item)
    return [*tasks]


POISONED = {
    "type": "gave-up",
    "title": "claimd gave up",
    "detail": "A step of this batch ended its worker too often. What was claimed is reported; resume the batch "
    "once the cause is found.",
}


def _reject(runtime: Runtime, connection: Connection, item: WorkItem, rejected: InputRejected) -> Rings:
    with connection.begin():
        tasks = settlement.end_without_results(connection, runtime.settings, item.batch, rejected.problem())
        _end(connection, item)
    return [*tasks]


def _complete(runtime: Runtime, connection: Connection, item: WorkItem, found: Resolution, pending: Pending) -> Rings:
    batch = item.batch
    parts = partial(cut_parts, found.entries, runtime.settings.chunk_size)
    with connection.begin():
        judgement = _judge(connection, batch, [pending], parts)
        verdicts = np.zeros(len(found.entries), dtype=VERDICT)
        scatter(pending, judgement.verdicts[0], verdicts)
        _store_reading(connection, item, found)
        state = settlement.end_state(batch, judgement.problem)
        problem = judgement.problem or batch.problem
        ending = settlement.Ending(state, problem, found.dialect, found.rows_total, replaces=item.number > 0)
        tasks = settlement.settle(connection, runtime.settings, batch, parts, verdicts, ending)
        _end(connection, item)
    return [*tasks]


def _hand_out(runtime: Runtime, connection: Connection, item: WorkItem, found: Resolution, pending: Pending) -> Rings:
    batch, again = item.batch, runtime.settings.ring_again_after
    chunks = cut_chunks(pending, runtime.settings.chunk_size)
    as_one = _is_judged_as_one(batch, len(pending))
    rows = [len(pending)] if as_one else [len(chunk) for chunk in chunks]
    with connection.begin():
        _store_reading(connection, item, found)
        parts = cut_parts(found.entries, runtime.settings.chunk_size)
        packed.store_parts(connection, batch.key, (part.tobytes() for part in parts))
        for number, chunk in enumerate(chunks):
            stored = packed.Chunk(number, len(chunk), chunk.tobytes())
            packed.store_chunk(connection, batch.key, stored, 0 if as_one else number)
        work.add_items(connection, batch.key, WorkKind.APPLY, Queue.BULK, rows, again)
        work.add_items(connection, batch.key, WorkKind.FINISH, Queue.BULK, [len(found.entries)], again)
        dialect = found.dialect.to_json()
        if not batches.start_applying(connection, batch.key, dialect, found.rows_total, Queue.BULK):
            raise LostLease
        _end(connection, item)
    return [Ring(WorkKind.APPLY, Queue.BULK, len(rows))]


def _store_reading(connection: Connection, item: WorkItem, found: Resolution) -> None:
    if item.number > 0:
        outcomes.forget_reading(connection, item.batch.key)
    outcomes.store_reading(connection, item.batch.key, found.checkpoints, found.kit_rows)


def _judge(connection: Connection, batch: Batch, chunks: list[Pending], parts: settlement.Parts) -> Judgement:
    if batch.cancelled or not _is_judged_as_one(batch, sum(map(len, chunks))):
        return Judgement([operations.carry_out(connection, batch, chunk) for chunk in chunks])

    def unchanged(connection: Connection, verdicts: list[Verdicts]) -> bool:
        everything = np.zeros(sum(map(len, parts())), dtype=VERDICT)
        for chunk, own in zip(chunks, verdicts, strict=True):
            scatter(chunk, own, everything)
        return settlement.is_unchanged(connection, batch, parts, everything)

    return judge_as_one(connection, batch, chunks, Rules(fixed=parts, unchanged=unchanged))


def _is_judged_as_one(batch: Batch, devices: int) -> bool:
    """`max_claims` needs it only where it could be exceeded."""
    limited = batch.max_claims is not None and devices > batch.max_claims and not batch.only_looks
    return batch.rests_on_one_decision or limited


def _stored_parts(connection: Connection, batch: Batch) -> list[Entries]:
    """All parts, read before the first is used: the connection is busy with a COPY afterwards."""
    return [np.frombuffer(data, dtype=ENTRY) for data in packed.read_parts(connection, batch.key)]


def _stored_verdicts(connection: Connection, batch: Batch, size: int) -> Verdicts:
    verdicts = np.zeros(size, dtype=VERDICT)
    for pending, output in _decided_chunks(connection, batch):
        scatter(pending, output, verdicts)
    return verdicts


def _decided_chunks(connection: Connection, batch: Batch) -> Iterator[tuple[Pending, Verdicts]]:
    for pending, output in packed.read_verdicts(connection, batch.key):
        yield np.frombuffer(pending, dtype=PENDING_DEVICE), np.frombuffer(output, dtype=VERDICT)


def _end(connection: Connection, item: WorkItem) -> None:
    if not leases.end_item(connection, item):
        raise LostLease
