"""The sweep as a thread of a process that does little else."""

import threading
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.batches.sweep import sweep
from worker.runtime import Runtime

_log = structlog.get_logger(__name__)
_LAST_WAIT = 2.0


class Sweeper:
    """Sweeps at the interval of the settings, whatever happens; an outage is logged once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stop = threading.Event()
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_LAST_WAIT)

    def _run(self) -> None:
        while not self._stop.wait(self._runtime.settings.sweep_interval.total_seconds()):
            try:
                sweep(self._runtime)
            except Exception as error:  # noqa: BLE001  # the next sweep may work
                self._note(type(error).__name__, error)
            else:
                self._note(None)

    def _note(self, trouble: str | None, error: Exception | None = None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if error is None:
            _log.info("sweep works again")
        else:
            _log.warning(
                "sweep failed", error=repr(error), exc_info=None if isinstance(error, SQLAlchemyError) else error
            )
