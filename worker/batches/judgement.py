"""Apply: who holds each device, decided inside one transaction, in the order of the device keys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection

from worker.batches.entries import VERDICT, Entries, Pending, Verdicts, has_any
from worker.errors import ClaimdError
from worker.queries import claims
from worker.queries.batches import Batch
from worker.states import BAD, Outcome

BAD_ROWS = {
    "type": "bad-rows",
    "title": "Some rows cannot be claimed",
    "detail": "The batch is atomic, and at least one of its rows cannot be claimed: nothing was claimed.",
}
PREVIEW_CHANGED = {
    "type": "preview-changed",
    "title": "The preview is out of date",
    "detail": "The outcome would differ from the preview: nothing was claimed. Preview again.",
}


class ReleasedMeanwhileError(ClaimdError):
    """A device was neither free nor held: its claim ended between two statements. Running again helps."""


@dataclass(frozen=True)
class Judgement:
    """The verdicts of some chunks, in their order, and why nothing may be claimed if that is so."""

    verdicts: list[Verdicts]
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class Rules:
    """What has to hold for a batch that is claimed in one transaction or not at all.

    `fixed` gives the entries that resolve had decided already, `unchanged` says whether decided entries
    are those of the preview.
    """

    fixed: Callable[[], Iterable[Entries]] = field(default=list)
    unchanged: Callable[[Connection, list[Verdicts]], bool] = field(default=lambda _connection, _verdicts: True)


def judge_chunk(connection: Connection, batch: Batch, pending: Pending) -> Verdicts:
    """Claim one chunk's devices, or only look if the batch is a preview.

    Raises:
        ReleasedMeanwhileError: roll back and run again.
    """
    return _look(connection, batch, pending) if batch.only_looks else _claim(connection, batch, pending)


def judge_as_one(connection: Connection, batch: Batch, chunks: Iterable[Pending], rules: Rules) -> Judgement:
    """Claim all chunks or nothing: what does not satisfy the rules is undone to where it began.

    Raises:
        ReleasedMeanwhileError: roll back and run again.
    """
    savepoint = connection.begin_nested()
    verdicts = [judge_chunk(connection, batch, chunk) for chunk in chunks]
    problem = _problem(connection, batch, verdicts, rules)
    if problem is None:
        savepoint.commit()
        return Judgement(verdicts)
    savepoint.rollback()
    return Judgement([_undone(part) for part in verdicts], problem)


def _problem(connection: Connection, batch: Batch, verdicts: list[Verdicts], rules: Rules) -> dict[str, Any] | None:
    if batch.mode == "atomic" and _has_bad(verdicts, rules):
        return BAD_ROWS
    if batch.require_unchanged and not rules.unchanged(connection, verdicts):
        return PREVIEW_CHANGED
    claimed = sum(int((part["outcome"] == Outcome.CLAIMED.number).sum()) for part in verdicts)
    if batch.max_claims is not None and claimed > batch.max_claims:
        return _too_many(claimed, batch.max_claims)
    return None


def _has_bad(verdicts: list[Verdicts], rules: Rules) -> bool:
    decided = any(has_any(part["outcome"], BAD) for part in verdicts)
    return decided or any(has_any(part["outcome"], BAD) for part in rules.fixed())


def _too_many(claimed: int, limit: int) -> dict[str, Any]:
    return {
        "type": "max-claims-exceeded",
        "title": "More devices than allowed",
        "detail": f"The batch would claim {claimed:,} devices, max_claims is {limit:,}: nothing was claimed.",
    }


def _undone(verdicts: Verdicts) -> Verdicts:
    undone = verdicts.copy()
    undone["outcome"][undone["outcome"] == Outcome.CLAIMED.number] = Outcome.NOT_PROCESSED.number
    return undone


def _claim(connection: Connection, batch: Batch, pending: Pending) -> Verdicts:
    keys = np.ascontiguousarray(pending["device_key"])
    won = claims.insert_claims(connection, batch.project_key, batch.key, keys)
    claimed = np.isin(keys, won, assume_unique=True)
    verdicts = _verdicts_of_others(connection, batch, keys, ~claimed)
    verdicts["outcome"][claimed] = Outcome.CLAIMED.number
    if (verdicts["outcome"] == 0).any():
        raise ReleasedMeanwhileError
    return verdicts


def _look(connection: Connection, batch: Batch, pending: Pending) -> Verdicts:
    keys = np.ascontiguousarray(pending["device_key"])
    verdicts = _verdicts_of_others(connection, batch, keys, np.ones(len(keys), dtype=bool))
    verdicts["outcome"][verdicts["outcome"] == 0] = Outcome.CLAIMABLE.number
    return verdicts


def _verdicts_of_others(connection: Connection, batch: Batch, keys: claims.Keys, asked: Any) -> Verdicts:  # noqa: ANN401
    """What becomes of devices that were not claimed; 0 for those that could be.

    Who holds them is read by a statement of its own after the insert, so it sees the winners.
    """
    verdicts = np.zeros(len(keys), dtype=VERDICT)
    held, holders = claims.find_holders(connection, keys[asked])
    at = np.searchsorted(keys, held)
    mine = holders == batch.project_key
    verdicts["outcome"][at] = np.where(mine, Outcome.ALREADY_YOURS.number, Outcome.ALREADY_CLAIMED.number)
    verdicts["holder"][at] = np.where(mine, 0, holders)
    free = asked & (verdicts["outcome"] == 0)
    barred = np.isin(keys, claims.find_without_subscription(connection, keys[free]))
    verdicts["outcome"][barred] = Outcome.NOT_CLAIMABLE.number
    return verdicts
