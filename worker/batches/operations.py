"""What each operation does with the devices of a chunk: in one transaction, in the order of their keys."""

from typing import assert_never

import numpy as np
from sqlalchemy import Connection

from worker.batches.entries import VERDICT, Pending, Verdicts
from worker.batches.judgement import judge_chunk
from worker.queries import claims, plans
from worker.queries.batches import Batch
from worker.queries.claims import Keys
from worker.states import Operation, Outcome


def carry_out(connection: Connection, batch: Batch, pending: Pending) -> Verdicts:
    """Do to one chunk's devices what the batch is for; nothing once it is cancelled.

    Raises:
        ReleasedMeanwhileError: roll back and run again.
    """
    if batch.cancelled:
        return np.zeros(len(pending), dtype=VERDICT)
    keys = np.ascontiguousarray(pending["device_key"])
    match batch.operation:
        case Operation.CLAIM:
            return judge_chunk(connection, batch, pending)
        case Operation.REVERT:
            return _revert(connection, batch, keys)
        case Operation.PLAN:
            return _plan(connection, batch, keys)
        case _:
            assert_never(batch.operation)


def _revert(connection: Connection, batch: Batch, keys: Keys) -> Verdicts:
    """Give back what the parent has claimed and still holds, unless its prepaid time has begun."""
    assert batch.parent_key is not None, batch.key  # noqa: S101  # the database has it so
    held = claims.lock_claims(connection, batch.project_key, batch.parent_key, keys)
    started = plans.find_started(connection, held)
    released = np.setdiff1d(held, started, assume_unique=True)
    plans.forget_scheduled(connection, released)
    claims.delete_claims(connection, released)
    return _verdicts(keys, {Outcome.RELEASED: released, Outcome.ALREADY_ACTIVE: started})


def _plan(connection: Connection, batch: Batch, keys: Keys) -> Verdicts:
    """What could not be planned is read by later statements, which see what an activation has done meanwhile."""
    scheduled = plans.schedule_held(connection, batch.project_key, batch.key, keys)
    held, holders = claims.find_holders(connection, np.setdiff1d(keys, scheduled, assume_unique=True))
    started = plans.find_started(connection, held[holders == batch.project_key])
    return _verdicts(keys, {Outcome.SCHEDULED: scheduled, Outcome.ALREADY_ACTIVE: started})


def _verdicts(keys: Keys, decided: dict[Outcome, Keys]) -> Verdicts:
    """The outcomes of `decided`, and for all others that they are not the project's."""
    verdicts = np.zeros(len(keys), dtype=VERDICT)
    verdicts["outcome"] = Outcome.NOT_YOURS.number
    for outcome, those in decided.items():
        verdicts["outcome"][np.searchsorted(keys, those)] = outcome.number
    return verdicts
