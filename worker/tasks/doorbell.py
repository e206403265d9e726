"""Ringing through Celery, without ever making the caller wait for the broker."""

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.broker import connect_broker
from worker.settings import Settings
from worker.states import PeriodicTask, Queue, WorkKind
from worker.tasks.app import build_app
from worker.tasks.names import task_name

_log = structlog.get_logger(__name__)

MOST_WAITING = 10_000
_TIMEOUT = 1.0
_IMPATIENT = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT, "max_retries": 0}
_SILENCE = 5.0
_ENOUGH_WAITING = 20
_ENOUGH_NUDGES = 8
_UNREACHABLE = (OperationalError, RedisError, OSError)


@dataclass(frozen=True)
class _Ring:
    task: str
    arguments: tuple[str, ...]
    queue: Queue
    times: int = 1
    is_spared_beyond: int | None = None  # so many waiting messages: whoever answers those sees to this one, too


class CeleryDoorbell:
    """Rings are put into a bounded queue, and one thread of each process sends them.

    What cannot be sent is dropped, because the sweep rings again; after a failure nothing is tried for five
    seconds. The thread starts with the first ring, so an object made before a fork works after it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender: _Sender | None = None
        self._lock = threading.Lock()
        self._client = connect_broker(settings, _TIMEOUT)
        self._quiet = _Breaker()

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        """Ask `times` workers to look. Never raises and never waits: the sweep rings again."""
        is_small = kind is WorkKind.RESOLVE and queue is Queue.INTERACTIVE
        spared = _ENOUGH_WAITING if is_small else None  # `work.answer`
        self._sender_of_this_process().put(_Ring(task_name(kind), (batch_id,), queue, times, spared))

    def nudge(self, task: PeriodicTask) -> None:
        """Ask for a periodic task before its time. Never raises and never waits: it comes at its time anyway."""
        self._sender_of_this_process().put(_Ring(task.value, (), Queue.PERIODIC, is_spared_beyond=_ENOUGH_NUDGES))

    def waiting(self, queue: Queue) -> int | None:
        """How many rings wait in `queue`; None if the broker cannot be asked, which takes a second."""
        if self._quiet.is_open():
            return None
        try:
            return int(self._client.llen(queue.value))
        except RedisError:
            self._quiet.trip()
            return None

    def close(self, timeout: float) -> None:
        """Send what was rung, for `timeout` seconds at most, and end the thread."""
        if self._sender is not None and self._sender.pid == os.getpid():
            self._sender.close(timeout)
        self._sender = None
        self._client.close()

    def _sender_of_this_process(self) -> "_Sender":
        with self._lock:
            if self._sender is None or self._sender.pid != os.getpid():
                self._sender = _Sender(self._settings)
            return self._sender


class _Sender:
    """The queue and the thread of one process."""

    def __init__(self, settings: Settings) -> None:
        self.pid = os.getpid()
        self._rings: queue.Queue[_Ring | None] = queue.Queue(MOST_WAITING)
        self._settings = settings
        self._breaker = _Breaker()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def put(self, ring: _Ring) -> None:
        try:
            self._rings.put_nowait(ring)
        except queue.Full:
            self._dropped += 1

    def close(self, timeout: float) -> None:
        with suppress(queue.Full):
            self._rings.put_nowait(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        publisher = _Publisher(self._settings)
        while (ring := self._rings.get()) is not None:
            if self._breaker.is_open():
                self._dropped += 1
                continue
            try:
                publisher.publish(ring)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next ring gets its chance
                self._give_up(publisher, error)
        publisher.close()

    def _give_up(self, publisher: "_Publisher", error: Exception) -> None:
        self._breaker.trip()
        publisher.close()
        _log.warning("doorbell not sent", error=repr(error), dropped=self._dropped + 1)
        self._dropped = 0


class _Publisher:
    """One connection to the broker, opened when it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._app = build_app(settings, **_IMPATIENT)
        self._client = connect_broker(settings, _TIMEOUT)
        self._producer: Any = None

    def publish(self, ring: _Ring) -> None:
        if ring.is_spared_beyond is not None and self._client.llen(ring.queue.value) >= ring.is_spared_beyond:
            return
        if self._producer is None:
            self._producer = self._app.amqp.Producer(self._app.connection_for_write(), auto_declare=False)
        for _ in range(ring.times):
            self._app.send_task(
                ring.task,
                args=ring.arguments,
                queue=ring.queue.value,
                producer=self._producer,
                retry=False,
            )

    def close(self) -> None:
        self._client.close()
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(*_UNREACHABLE):
                producer.connection.close()


class _Breaker:
    """Keeps quiet for a while after a failure, so that a broker that is gone costs nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def is_open(self) -> bool:
        return self._clock() < self._until

    def trip(self) -> None:
        self._until = self._clock() + _SILENCE
