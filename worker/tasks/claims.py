"""Transport: each task calls one use-case on the batch that its message names."""

from celery import shared_task

from worker.batches import work
from worker.states import WorkKind
from worker.tasks.names import task_name
from worker.tasks.process import process_runtime


@shared_task(name=task_name(WorkKind.RESOLVE))
def resolve(batch_id: str) -> None:
    """Take the batch's resolve step if it is due, then those of small batches that wait beside it."""
    work.run_resolve(process_runtime(), batch_id)
    work.run_neighbours(process_runtime(), batch_id)


@shared_task(name=task_name(WorkKind.APPLY))
def apply(batch_id: str) -> None:
    """Take one of the batch's apply steps if one is due."""
    work.run_apply(process_runtime(), batch_id)


@shared_task(name=task_name(WorkKind.FINISH))
def finish(batch_id: str) -> None:
    """Take the batch's finish step if it is due."""
    work.run_finish(process_runtime(), batch_id)
