"""Retention: what is old is pruned in small steps, each a transaction of its own."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from worker.queries import retention
from worker.runtime import Runtime
from worker.settings import Settings

Step = Callable[[Connection, Settings], int]

# A run ends after this time; the next one goes on.
RUN: Final = timedelta(seconds=45)


def prune_old(runtime: Runtime) -> int:
    """Prune what has been kept for its time: inputs, results, deliveries, digests; returns how many of them.

    Each step is whole by itself: whoever is ended between two leaves nothing that the next run does not find.
    """
    deadline = time.monotonic() + RUN.total_seconds()
    pruned = 0
    while done := sum(_carry_out(runtime, step) for step in STEPS):
        pruned += done
        if time.monotonic() > deadline:
            break
    return pruned


def _carry_out(runtime: Runtime, step: Step) -> int:
    with runtime.transaction() as connection:
        return step(connection, runtime.settings)


def _inputs(connection: Connection, settings: Settings) -> int:
    return retention.prune_inputs(connection, settings.keep_inputs, _of_failed(settings))


def _results(connection: Connection, settings: Settings) -> int:
    return retention.mark_old_results(connection, settings.keep_results, _of_failed(settings))


def _rest_of_results(connection: Connection, _settings: Settings) -> int:
    return retention.delete_marked_results(connection)


def _deliveries(connection: Connection, settings: Settings) -> int:
    return retention.prune_deliveries(connection, settings.keep_deliveries)


def _digests(connection: Connection, settings: Settings) -> int:
    return retention.prune_digests(connection, settings.keep_results)


def _of_failed(settings: Settings) -> timedelta:
    """A failed batch goes as a whole: while one half of it is kept, it can be resumed."""
    return max(settings.keep_inputs, settings.keep_results)


STEPS: Final[tuple[Step, ...]] = (_inputs, _results, _rest_of_results, _deliveries, _digests)
