"""Transport: each task answers the doorbell that its message is."""

from celery import shared_task

from worker.batches import work
from worker.states import WorkKind
from worker.tasks.names import task_name
from worker.tasks.process import process_runtime


@shared_task(name=task_name(WorkKind.RESOLVE))
def resolve(batch_id: str) -> None:
    """Find out what the batch names; a small one is claimed and reported in the same breath."""
    work.answer(process_runtime(), WorkKind.RESOLVE, batch_id)


@shared_task(name=task_name(WorkKind.APPLY))
def apply(batch_id: str) -> None:
    """Carry out a chunk of a large batch: this one's, or that of an organization whose turn it is."""
    work.answer(process_runtime(), WorkKind.APPLY, batch_id)


@shared_task(name=task_name(WorkKind.FINISH))
def finish(batch_id: str) -> None:
    """Write the results of a large batch, or take the step whose turn it is."""
    work.answer(process_runtime(), WorkKind.FINISH, batch_id)
