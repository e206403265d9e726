"""Transport: what beat asks for at intervals. Doing it twice, or late, is harmless."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from celery import shared_task

from worker.batches.sweep import prune, sweep
from worker.digests import write_digests
from worker.operations.deliveries import deliver
from worker.operations.periodic import run_periodic
from worker.operations.retention import prune_old
from worker.runtime import Runtime
from worker.states import PeriodicTask
from worker.subscriptions import activate_due, expire_due, remind
from worker.tasks.process import process_runtime

USE_CASES: Final[Mapping[PeriodicTask, Callable[[Runtime], int]]] = MappingProxyType(
    {
        PeriodicTask.SWEEP: lambda runtime: sweep(runtime).rung,
        PeriodicTask.PRUNE: prune,
        PeriodicTask.ACTIVATE: activate_due,
        PeriodicTask.EXPIRE: expire_due,
        PeriodicTask.REMIND: remind,
        PeriodicTask.DELIVER: deliver,
        PeriodicTask.DIGEST: write_digests,
        PeriodicTask.RETAIN: prune_old,
    }
)


# Far more than a run takes, in seconds: only one that hangs outside of the database gets there.
_SOFT_LIMIT, _HARD_LIMIT = 120, 180


def _register(task: PeriodicTask, use_case: Callable[[Runtime], int]) -> None:
    @shared_task(name=task.value, soft_time_limit=_SOFT_LIMIT, time_limit=_HARD_LIMIT)
    def run() -> None:
        run_periodic(process_runtime(), task, use_case)


for _task, _use_case in USE_CASES.items():
    _register(_task, _use_case)
