"""Long work in short transactions that make way for batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import Connection

from worker.queries import work
from worker.runtime import Runtime
from worker.states import PeriodicTask

SIZE: Final = 20_000
# While batches are waiting or worked on, a chunk is over in some milliseconds, and then theirs is the machine.
SIZE_BESIDE_BATCHES: Final = 2_000
PAUSES_BESIDE_BATCHES: Final = 9.0
RUN_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Chunk:
    """What a step did: how many subscriptions it changed, and how many deliveries tell of them."""

    handled: int
    deliveries: int = 0


# Changes up to so many subscriptions; None: there was nothing to do.
Step: TypeAlias = Callable[[Connection, int], Chunk | None]


def run_in_chunks(runtime: Runtime, task: PeriodicTask, step: Step) -> int:
    """Repeat `step`, each time in a transaction of its own, until nothing is left or the time is up.

    Returns how many subscriptions were changed. For what is left `task` is asked for again at once.
    """
    began, handled = time.monotonic(), 0
    while time.monotonic() - began < RUN_SECONDS:
        started = time.monotonic()
        chunk, makes_way = _run(runtime, step)
        if chunk is None:
            return handled
        handled += chunk.handled
        if makes_way:
            time.sleep(PAUSES_BESIDE_BATCHES * (time.monotonic() - started))
    runtime.doorbell.nudge(task)
    return handled


def _run(runtime: Runtime, step: Step) -> tuple[Chunk | None, bool]:
    with runtime.transaction() as connection:
        makes_way = work.has_open_items(connection)
        chunk = step(connection, SIZE_BESIDE_BATCHES if makes_way else SIZE)
    if chunk is not None and chunk.deliveries:
        runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return chunk, makes_way
