"""Celery, configured once and for all processes; nothing connects before it is used."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu import Queue as KombuQueue

from worker.operations.periodic import INTERVALS
from worker.settings import Settings
from worker.states import Queue

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
TASK_MODULES = ("worker.tasks.claims", "worker.tasks.periodic")

_BROKER: dict[str, Any] = {
    # A broker that froze without closing its connections is noticed, not waited for.
    "socket_timeout": 5.0,
    "socket_connect_timeout": 3.0,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # Messages are acknowledged when a child takes them, so these are for the moments in between.
    "visibility_timeout": 60,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
}

_OPTIONS: dict[str, Any] = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_ignore_result": True,
    "result_backend": None,
    # Recovery is the database's: leases and the sweep. Late acknowledgement would add the broker's own
    # redelivery to it, and its workers do not survive the end of a Redis (Celery 5.7.0).
    "task_acks_late": False,
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    "task_create_missing_queues": False,
    "task_default_queue": Queue.INTERACTIVE.value,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_detect_quorum_queues": False,
    "control_queue_expires": 60.0,
    "control_queue_ttl": 60.0,
    "worker_send_task_events": True,
    "worker_pool": "prefork",
    "worker_pool_start_method": "fork",
    "worker_proc_alive_timeout": 30.0,
    # A large batch leaves a large heap behind; both give it back to the system in the end.
    "worker_max_tasks_per_child": 10_000,
    "worker_max_memory_per_child": 600_000,  # KiB
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "beat_scheduler": "worker.tasks.schedule:SteadyScheduler",
}


def build_app(settings: Settings, **broker_options: float) -> Celery:
    """The Celery application; `broker_options` are further options of the connection.

    Raises:
        EnvironmentProblem: no broker is set.
    """
    app = Celery("claimd", broker=settings.require_broker_url(), include=TASK_MODULES, set_as_current=False)
    app.conf.update(
        _OPTIONS,
        broker_transport_options=_BROKER | broker_options,
        task_queues=[KombuQueue(queue.value) for queue in Queue],
        beat_schedule=_beat_schedule(),
        **_time_limits(settings),
    )
    return app


def longest_lease(settings: Settings) -> timedelta:
    """The lease of a batch as large as they may be."""
    rows = max(settings.max_rows, settings.max_results)
    return settings.lease + settings.lease_per_million_rows * (rows / 1_000_000)


def _time_limits(settings: Settings) -> dict[str, float]:
    """The last resort against a task that hangs outside of the database, where no time-out ends it."""
    beyond = 2 * longest_lease(settings).total_seconds()
    return {"task_soft_time_limit": beyond + 60, "task_time_limit": beyond + 120}


def _beat_schedule() -> dict[str, dict[str, Any]]:
    # All are due when beat starts: nobody knows what was missed.
    return {
        task.value: {
            "task": task.value,
            "schedule": interval.total_seconds(),
            "options": {"queue": Queue.PERIODIC.value},
            "last_run_at": _LONG_AGO,
        }
        for task, interval in INTERVALS.items()
    }


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Celery sets up logging itself unless somebody listens to this signal."""
