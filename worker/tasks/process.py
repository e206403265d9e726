"""What one process of Celery's pool holds: a runtime that was made after the fork."""

from collections.abc import Sequence

from billiard.common import (  # type: ignore[attr-defined]  # missing in its stubs
    terminate_handler_fired,
)
from celery import Task
from celery.signals import task_postrun, task_prerun, worker_process_init, worker_process_shutdown
from structlog.contextvars import bind_contextvars, clear_contextvars

from worker.memory import collect_rarely
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings, load_settings
from worker.tasks.doorbell import CeleryDoorbell

_FLUSH_SECONDS = 1.0
_POOL_SIZE = 4  # a periodic task's turn, and what it does beside each other
_held: list[Runtime] = []


def process_runtime() -> Runtime:
    """The runtime of this process, for tasks."""
    return _held[0]


def hold_runtime(settings: Settings) -> None:
    """Make this process's runtime."""
    _held[:] = [build_runtime(settings, CeleryDoorbell(settings), _POOL_SIZE)]


@worker_process_init.connect
def _open(**_: object) -> None:
    hold_runtime(load_settings())
    collect_rarely()


@worker_process_shutdown.connect
def _close(**_: object) -> None:
    while _held:
        runtime = _held.pop()
        runtime.doorbell.close(_FLUSH_SECONDS)
        runtime.close()


@task_prerun.connect
def _name_in_logs(task: Task[..., object], args: Sequence[object] = (), **_: object) -> None:
    bind_contextvars(task=task.name, batch_id=args[0] if args else None)


@task_postrun.connect
def _after_task(**_: object) -> None:
    clear_contextvars()
    # A SIGTERM's SystemExit can be lost in somebody's clean-up; the process is to end all the same.
    if terminate_handler_fired():
        raise SystemExit
