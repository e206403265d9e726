"""Activation: prepaid time starts at the moment that was due, however late the task comes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row

from worker.queries import activation, events
from worker.queries.activation import DueBatch, Keys, Start, Table
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import EventType, PeriodicTask
from worker.subscriptions.chunks import Chunk, run_in_chunks
from worker.times import rfc3339

# Small batches are started many at a time.
_BATCHES: Final = 200
_MONTHS: Final = 1_000  # more than any device comes with


def activate_due(runtime: Runtime) -> int:
    """Start every subscription that is due; returns how many were started.

    Safe in any number of processes at once, and however late.
    """
    with runtime.transaction() as connection:
        activation.forget_reverted(connection)
    steps = (_start_claimed, _start_planned)
    return sum(run_in_chunks(runtime, PeriodicTask.ACTIVATE, partial(step, runtime.settings)) for step in steps)


def _start_claimed(settings: Settings, connection: Connection, size: int) -> Chunk | None:
    """Start claims that nobody planned otherwise: they follow their batch."""
    due = _first(activation.take_due_batches(connection, _BATCHES), size)
    if not due:
        return None
    claims = activation.fetch_claims(connection, due, size)
    started = np.isin(claims["device_key"], _insert(connection, due, claims))
    deliveries = 0
    for position, batch in enumerate(due, start=1):
        own = claims["position"] == position
        deliveries += _note(connection, settings, batch, claims[own], claims[own & started], is_last=own.sum() < size)
    return Chunk(int(started.sum()), deliveries)


def _first(due: Sequence[DueBatch], size: int) -> list[DueBatch]:
    """As many of the batches as are `size` claims together, one at least."""
    ends = np.cumsum([min(size, batch.claimed - batch.activated) for batch in due])
    return list(due[: max(1, int(np.searchsorted(ends, size, side="right")))])


def _insert(connection: Connection, due: Sequence[DueBatch], claims: Table) -> Keys:
    if not len(claims):
        return np.zeros(0, dtype=np.int64)
    # A few periods for many devices: batches have one start each, and devices come with whole years.
    codes = claims["position"] * _MONTHS + claims["months"]
    pairs, period = np.unique(codes, return_inverse=True)
    wanted = [_period(due[pair // _MONTHS - 1], pair % _MONTHS) for pair in pairs.tolist()]
    periods = activation.compute_periods(connection, wanted)[period]
    return activation.insert_started(connection, Start(claims["device_key"], periods[:, 0], periods[:, 1]))


def _period(batch: DueBatch, months: int) -> tuple[datetime, int, str]:
    return batch.starts_at, months, batch.time_zone


def _note(
    connection: Connection, settings: Settings, batch: DueBatch, seen: Table, started: Table, *, is_last: bool
) -> int:
    """Write down how far the batch has come, and tell of it at its end; returns how many deliveries do."""
    months = Counter(batch.months)
    months.update(_count_months(started))
    activated = batch.activated + len(started)
    next_device = int(seen["device_key"][-1]) + 1 if len(seen) else batch.next_device
    activation.advance(connection, batch, next_device, activated, dict(months), done=is_last)
    if not (is_last and activated):
        return 0
    return events.emit_event(
        connection,
        batch.organization_key,
        EventType.SUBSCRIPTIONS_ACTIVATED,
        _data(batch.project_id, batch.batch_id, activated, batch.starts_at, months),
        settings.delivery_lifetime,
        project=batch.project_key,
        batch=batch.batch_key,
    )


def _count_months(started: Table) -> dict[str, int]:
    months, counts = np.unique(started["months"], return_counts=True)
    return {str(month): count for month, count in zip(months.tolist(), counts.tolist(), strict=True)}


def _start_planned(settings: Settings, connection: Connection, size: int) -> Chunk | None:
    """Start what has a plan of its own."""
    rows = activation.start_planned(connection, size)
    if not rows:
        return None
    projects = [list(own) for _, own in groupby(rows, key=lambda row: row.project_key)]
    deliveries = sum(_tell_project(connection, settings, own) for own in projects)
    return Chunk(sum(row.activated for row in rows), deliveries)


def _tell_project(connection: Connection, settings: Settings, rows: Sequence[Row[Any]]) -> int:
    first = rows[0]
    months = {str(row.months): row.activated for row in rows}
    starts_at = min(row.starts_at for row in rows)
    return events.emit_event(
        connection,
        first.organization_key,
        EventType.SUBSCRIPTIONS_ACTIVATED,
        _data(first.project_id, None, sum(months.values()), starts_at, months),
        settings.delivery_lifetime,
        project=first.project_key,
    )


def _data(
    project_id: str, batch_id: str | None, activated: int, starts_at: datetime, months: Mapping[str, int]
) -> dict[str, Any]:
    """`batch_id` is null where devices of several batches had plans of their own; `starts_at` is the earliest."""
    return {
        "project_id": project_id,
        "batch_id": batch_id,
        "activated": activated,
        "starts_at": rfc3339(starts_at),
        "prepaid_months": dict(months),
    }
