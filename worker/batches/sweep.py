"""The sweep: rings again for work that nobody does, and clears away what has lapsed."""

from dataclasses import dataclass

from worker.queries import batches, uploads, work
from worker.runtime import Runtime
from worker.states import Queue, WorkKind

# So many doorbells may wait in a queue: with more waiting, ringing again would only be noise.
WAITING_AT_MOST = 500

LAPSED = {
    "type": "preview-lapsed",
    "title": "The preview has lapsed",
    "detail": "Nobody confirmed the preview in time: nothing was claimed.",
}


@dataclass(frozen=True)
class SweepReport:
    """How many doorbells were rung again."""

    rung: int


def sweep(runtime: Runtime) -> SweepReport:
    """Ring for every work item that is due and that nobody works on: a lost doorbell, a dead lease.

    Safe at any time, in any number of processes at once.
    """
    return SweepReport(sum(_sweep_queue(runtime, queue) for queue in (Queue.INTERACTIVE, Queue.BULK)))


def prune(runtime: Runtime) -> int:
    """Cancel up to a hundred lapsed previews, forget as many uploads that went silent; returns how many."""
    with runtime.transaction() as connection:
        lapsed = batches.lapse_previews(connection, LAPSED)
        for row in lapsed:
            work.start_over(connection, row.key, Queue(row.queue), runtime.settings.ring_again_after)
        silent = uploads.drop_expired_uploads(connection)
    for row in lapsed:
        runtime.doorbell.ring(WorkKind.RESOLVE, row.public_id, Queue(row.queue))
    return len(lapsed) + silent


def _sweep_queue(runtime: Runtime, queue: Queue) -> int:
    waiting = runtime.doorbell.waiting(queue)
    room = 0 if waiting is None else WAITING_AT_MOST - waiting
    if room <= 0:
        return 0
    with runtime.transaction() as connection:
        due = work.take_due(connection, queue, room, runtime.settings.ring_again_after)
    for item in due:
        runtime.doorbell.ring(item.kind, item.batch_id, queue)
    return len(due)
