"""What its owner can do to a batch: confirm a preview, cancel, resume after a failure."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from worker.batches.submit import InTransaction
from worker.batches.views import batch_document
from worker.errors import InputPruned, NotFound, PreviewLapsed, WrongState
from worker.principal import Principal
from worker.queries import batches, work
from worker.queries.batches import Batch
from worker.runtime import Runtime
from worker.states import BatchState, Operation, Queue, WorkKind

Rings = list[tuple[WorkKind, Queue]]


def confirm(
    runtime: Runtime,
    principal: Principal,
    batch_id: str,
    require_unchanged: bool,
    in_transaction: InTransaction | None = None,
) -> dict[str, Any]:
    """Claim what was previewed; everything is computed again.

    Raises:
        NotFound, Forbidden: as ever.
        WrongState: the batch does not wait for a confirmation.
        PreviewLapsed: it waited too long.
    """

    def act(connection: Connection, batch: Batch, lapsed: bool) -> Rings:
        if batch.state is BatchState.PREVIEWED and lapsed:
            raise PreviewLapsed("The preview is too old to be confirmed; send the file again.")
        if not batches.confirm_batch(connection, batch.key, require_unchanged=require_unchanged):
            raise WrongState(f"Only a previewed batch can be confirmed; this one is {batch.state}.")
        work.start_over(connection, batch.key, batch.queue, runtime.settings.ring_again_after)
        return [(WorkKind.RESOLVE, batch.queue)]

    return _change(runtime, principal, batch_id, act, in_transaction)


def cancel(
    runtime: Runtime, principal: Principal, batch_id: str, in_transaction: InTransaction | None = None
) -> dict[str, Any]:
    """Stop the batch: what was applied stays, the rest is reported as not processed.

    Raises:
        NotFound, Forbidden: as ever.
        WrongState: there is nothing left to cancel.
    """

    def act(connection: Connection, batch: Batch, _lapsed: bool) -> Rings:
        if batch.operation is Operation.REVERT:
            raise WrongState("A revert goes through to its end; claim the devices again instead.")
        if not batches.request_cancel(connection, batch.key):
            raise WrongState(f"This batch cannot be cancelled any more; it is {batch.state}.")
        again = runtime.settings.ring_again_after
        if batch.state is BatchState.PREVIEWED:
            work.start_over(connection, batch.key, batch.queue, again)
        else:
            work.cancel_items(connection, batch.key, again)
        return [(WorkKind.RESOLVE, batch.queue), (WorkKind.FINISH, batch.queue)]

    return _change(runtime, principal, batch_id, act, in_transaction)


def resume(
    runtime: Runtime, principal: Principal, batch_id: str, in_transaction: InTransaction | None = None
) -> dict[str, Any]:
    """Let a failed batch go on with the steps that were given up.

    Raises:
        NotFound, Forbidden: as ever.
        WrongState: it has not failed.
        InputPruned: it failed so long ago that nothing is left to go on with.
    """

    def act(connection: Connection, batch: Batch, _lapsed: bool) -> Rings:
        if batch.pruned:
            raise InputPruned("What this batch needs to go on is no longer kept; send your own copy again.")
        items = work.reopen_items(connection, batch.key, runtime.settings.ring_again_after)
        rings = [(WorkKind(item.kind), Queue(item.queue)) for item in items]
        resolving = any(kind is WorkKind.RESOLVE for kind, _ in rings)
        state = BatchState.RESOLVING if resolving else BatchState.APPLYING
        if not batches.resume_batch(connection, batch.key, state):
            raise WrongState(f"Only a failed batch can be resumed; this one is {batch.state}.")
        return rings

    return _change(runtime, principal, batch_id, act, in_transaction)


def lock_changeable(connection: Connection, principal: Principal, batch_id: str) -> tuple[Batch, bool]:
    """A batch that the principal may change, locked, and whether its preview has lapsed.

    Raises:
        NotFound, Forbidden: as ever.
    """
    found = batches.find_batch(connection, principal.organization_key, batch_id)
    if found is None or not principal.sees_project(found[1]):
        raise NotFound("There is no such batch.")
    principal.require_change(found[1])
    return batches.lock_batch(connection, found[0])


def _change(
    runtime: Runtime,
    principal: Principal,
    batch_id: str,
    act: Callable[[Connection, Batch, bool], Rings],
    in_transaction: InTransaction | None,
) -> dict[str, Any]:
    with runtime.transaction() as connection:
        rings = act(connection, *lock_changeable(connection, principal, batch_id))
        row = batches.view_batch(connection, principal.organization_key, batch_id)
        assert row is not None  # noqa: S101  # it is locked
        document = batch_document(row)
        if in_transaction is not None:
            in_transaction(connection, document)
    for kind, queue in rings:
        runtime.doorbell.ring(kind, batch_id, queue)
    return document
