"""Transport: what beat asks for at intervals. Doing it twice, or late, is harmless."""

from celery import shared_task

from worker.batches.sweep import prune, sweep
from worker.tasks.process import process_runtime


@shared_task(name="maintenance.sweep")
def ring_again() -> None:
    """Ring again for work that nobody has taken."""
    sweep(process_runtime())


@shared_task(name="maintenance.prune")
def forget_lapsed() -> None:
    """Forget what has lapsed."""
    prune(process_runtime())
