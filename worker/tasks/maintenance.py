"""Transport: what beat asks for at intervals. Doing it twice, or late, is harmless."""

from celery import shared_task

from worker.batches import sweep as sweeping
from worker.tasks.process import process_runtime


@shared_task(name="maintenance.sweep")
def sweep() -> None:
    """Ring again for work that nobody has taken."""
    sweeping.sweep(process_runtime())


@shared_task(name="maintenance.prune")
def prune() -> None:
    """Forget what has lapsed."""
    sweeping.prune(process_runtime())
