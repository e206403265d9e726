"""Batches whose devices nobody lists: the revert of a batch, a plan for all that a batch or a project holds."""

import hashlib
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from worker.batches.acceptance import log_accepted
from worker.batches.admission import check_admission
from worker.batches.lifecycle import lock_changeable
from worker.batches.submit import InTransaction, StoredInput, SubmitOptions, Target, document_of, insert, open_target
from worker.errors import HoldWindowOver, Invalid, WrongState
from worker.principal import Principal
from worker.queries import batches, selections, work
from worker.queries.batches import Batch
from worker.runtime import Runtime
from worker.states import BatchState, Operation, Queue, WorkKind

_S = BatchState
REVERTIBLE: Final = frozenset({_S.COMPLETED, _S.CANCELLED})
# All that such a batch claims it has claimed.
PLANNABLE: Final = frozenset({_S.COMPLETED, _S.CANCELLED, _S.FAILED, _S.REVERTED})


def revert(
    runtime: Runtime, principal: Principal, batch_id: str, in_transaction: InTransaction | None = None
) -> dict[str, Any]:
    """Give back what a batch has claimed; returns the document of the batch that does it.

    Raises:
        NotFound, Forbidden: as ever.
        HoldWindowOver: its subscriptions may have started.
        WrongState: it claims nothing, is still at it, or was reverted before.
    """
    options = SubmitOptions("devices", Operation.REVERT)
    with runtime.transaction() as connection:
        parent, _ = lock_changeable(connection, principal, batch_id)
        if not batches.begin_revert(connection, parent.key):
            raise _why_not(parent)
        devices = selections.count_of_batch(connection, parent.key, runtime.settings.max_results)
        target = Target(parent.project_key, parent.key)
        document, queue = _accept(runtime, connection, principal, options, target, devices)
        if in_transaction is not None:
            in_transaction(connection, document)
    log_accepted(principal, document)
    runtime.doorbell.ring(WorkKind.RESOLVE, document["id"], queue)
    return document


def plan_held(
    runtime: Runtime,
    principal: Principal,
    project_id: str,
    options: SubmitOptions,
    in_transaction: InTransaction | None = None,
) -> dict[str, Any]:
    """Plan when the devices of a project start, or those that `options.parent` has claimed for it.

    Raises:
        NotFound, Forbidden: as ever.
        Invalid: the day cannot be chosen, or the parent is no batch of claims in this project.
        WrongState: the parent still claims.
        Draining, TooManyWaiting: no batch is taken at the moment.
    """
    options = replace(options, source="devices", operation=Operation.PLAN)
    with runtime.transaction() as connection:
        target = open_target(connection, principal, project_id, options)
        devices = _count(runtime, connection, target)
        check_admission(connection, runtime.settings, principal.organization_key, _queue(runtime, devices))
        document, queue = _accept(runtime, connection, principal, options, target, devices)
        if in_transaction is not None:
            in_transaction(connection, document)
    log_accepted(principal, document)
    runtime.doorbell.ring(WorkKind.RESOLVE, document["id"], queue)
    return document


def _why_not(parent: Batch) -> WrongState:
    if parent.operation is not Operation.CLAIM:
        return WrongState("Only claims can be reverted.")
    if parent.state in REVERTIBLE:
        return HoldWindowOver("The hold window of this batch is over: its prepaid time may have begun.")
    return WrongState(f"Only a completed or cancelled batch can be reverted; this one is {parent.state}.")


def _count(runtime: Runtime, connection: Connection, target: Target) -> int:
    limit = runtime.settings.max_results
    if target.parent is None:
        return selections.count_of_project(connection, target.project, limit)
    parent, _ = batches.lock_batch(connection, target.parent)
    if parent.operation is not Operation.CLAIM or parent.project_key != target.project:
        raise Invalid("This is no batch that claimed for the project.", parameter="batch_id")
    if parent.state not in PLANNABLE:
        raise WrongState(f"Its devices can be planned once the batch has ended; it is {parent.state}.")
    return selections.count_of_batch(connection, target.parent, limit)


def _accept(
    runtime: Runtime,
    connection: Connection,
    principal: Principal,
    options: SubmitOptions,
    target: Target,
    devices: int,
) -> tuple[dict[str, Any], Queue]:
    queue = _queue(runtime, devices)
    nothing = StoredInput(None, 0, hashlib.sha256().hexdigest(), queue)
    batch_id, key = insert(runtime, connection, principal, options, target, nothing)
    work.expect_rows(connection, key, devices)
    return document_of(connection, principal, batch_id), queue


def _queue(runtime: Runtime, devices: int) -> Queue:
    return Queue.INTERACTIVE if devices <= runtime.settings.chunk_size else Queue.BULK
