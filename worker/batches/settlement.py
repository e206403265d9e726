"""Settle: every result written, the batch in its end state, all in the caller's transaction."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from worker.batches.comparison import Preview
from worker.batches.consequences import Consequences
from worker.batches.entries import VERDICT, Entries, Verdicts, count_failed_rows, count_outcomes, decide
from worker.errors import LostLease
from worker.intake import Dialect
from worker.queries import batches, events, outcomes
from worker.queries.batches import Batch
from worker.settings import Settings
from worker.states import BatchState, Operation, PeriodicTask

Parts = Callable[[], Iterable[Entries]]


@dataclass
class Tally:
    """What the results of a batch add up to while they are written."""

    totals: Counter[str] = field(default_factory=Counter)
    results: int = 0
    failed_rows: int = 0
    changed: int = 0
    known: int = 0

    def add(self, decided: Entries) -> None:
        self.totals.update(count_outcomes(decided))
        self.results += len(decided)
        self.failed_rows += count_failed_rows(decided)

    def drift(self, preview: Preview | None) -> int | None:
        """How many results differ from the preview, with those that only the preview had."""
        return None if preview is None else self.changed + len(preview) - self.known


@dataclass(frozen=True)
class Ending:
    """How a batch ends; `dialect` and `rows_total` only if they were not stored before.

    `replaces`: the batch may have results of a preview or of a failure.
    """

    state: BatchState
    problem: dict[str, Any] | None = None
    dialect: Dialect | None = None
    rows_total: int | None = None
    replaces: bool = True


def settle(
    connection: Connection, settings: Settings, batch: Batch, parts: Parts, verdicts: Verdicts, ending: Ending
) -> list[PeriodicTask]:
    """Write the results and end the batch.

    `verdicts` has one place for each entry of all parts together.

    Returns what to ask for once this is committed.

    Raises:
        LostLease: someone else ended the batch.
    """
    tally, consequences = Tally(), Consequences(batch)
    preview = read_preview(connection, batch)
    if ending.replaces:
        outcomes.forget_results(connection, batch.key)
    results = consequences.watch(_decided(parts(), verdicts, preview, tally))
    outcomes.write_results(connection, batch.key, results)
    values = {
        "state": ending.state,
        "problem": ending.problem,
        "dialect": ending.dialect and ending.dialect.to_json(),
        "rows_total": ending.rows_total,
        "results_total": tally.results,
        "totals": dict(tally.totals),
        "drift": tally.drift(preview),
        "failed_rows": tally.failed_rows,
        "hold_window": settings.hold_window,
        "preview_lifetime": settings.preview_lifetime,
    }
    if not batches.finish_batch(connection, batch.key, values):
        raise LostLease
    consequences.carry_out(connection, ending.state)
    told = events.emit_batch_event(connection, batch.key, settings.delivery_lifetime)
    if batch.operation is Operation.REVERT and ending.state is BatchState.COMPLETED:
        told += _end_parent(connection, settings, batch)
    return _next_tasks(settings, batch, told)


def _end_parent(connection: Connection, settings: Settings, batch: Batch) -> int:
    """The revert is done; returns how many endpoints want to know of its parent's end."""
    assert batch.parent_key is not None, batch.key  # noqa: S101  # the database has it so
    batches.end_revert(connection, batch.parent_key)
    return events.emit_batch_event(connection, batch.parent_key, settings.delivery_lifetime)


def _next_tasks(settings: Settings, batch: Batch, told: int) -> list[PeriodicTask]:
    tasks = [PeriodicTask.DELIVER] if told else []
    is_due = batch.operation is Operation.PLAN or (batch.operation is Operation.CLAIM and not settings.hold_window)
    return [*tasks, PeriodicTask.ACTIVATE] if is_due else tasks


def end_without_results(
    connection: Connection, settings: Settings, batch: Batch, problem: dict[str, Any]
) -> list[PeriodicTask]:
    """Reject an input that could not be read as a whole; returns as `settle`.

    Raises:
        LostLease: someone else ended the batch.
    """
    no_parts: Parts = list
    return settle(
        connection, settings, batch, no_parts, np.zeros(0, dtype=VERDICT), Ending(BatchState.REJECTED, problem)
    )


def end_state(batch: Batch, problem: dict[str, Any] | None, *, poisoned: bool = False) -> BatchState:
    """Where a batch ends whose every chunk has been decided or given up."""
    if batch.cancelled:
        return BatchState.CANCELLED
    if problem is not None:
        return BatchState.REJECTED
    if poisoned:
        return BatchState.FAILED
    return BatchState.PREVIEWED if batch.only_looks else BatchState.COMPLETED


def is_unchanged(connection: Connection, batch: Batch, parts: Parts, verdicts: Verdicts) -> bool:
    """Whether the decided entries are those that the preview showed."""
    preview = read_preview(connection, batch)
    if preview is None:
        return True
    tally = Tally()
    for _ in _decided(parts(), verdicts, preview, tally):
        pass
    return tally.drift(preview) == 0


def read_preview(connection: Connection, batch: Batch) -> Preview | None:
    """What the preview of a confirmed batch said."""
    return Preview.of(outcomes.read_previous(connection, batch.key)) if batch.confirmed else None


def _decided(
    parts: Iterable[Entries], verdicts: Verdicts, preview: Preview | None, tally: Tally
) -> Iterator[tuple[Entries, npt.NDArray[Any], npt.NDArray[Any]]]:
    start = 0
    for entries in parts:
        own = verdicts[start : start + len(entries)]
        start += len(entries)
        decided = decide(entries, own)
        shown = np.zeros(len(decided), dtype=np.uint8)
        if preview is not None:
            shown, changed, known = preview.changes(decided)
            tally.changed += changed
            tally.known += known
        tally.add(decided)
        yield decided, own["holder"], shown
