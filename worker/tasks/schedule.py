"""Beat's schedule: kept in memory, and indifferent to a clock that is set back."""

from datetime import UTC, datetime
from typing import Final

from celery.beat import Scheduler

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SteadyScheduler(Scheduler):
    """Celery's own would send nothing for an hour after the system's clock was set back by an hour."""

    _latest = _LONG_AGO

    def tick(self) -> float:  # type: ignore[override]  # nobody gives it Celery's own parameters
        """Send one message that is due; returns the seconds until the next."""
        now = self.app.now()
        if now < self._latest:
            self._start_over()
        self._latest = now
        return float(super().tick())

    def _start_over(self) -> None:
        for entry in self.schedule.values():
            entry.last_run_at = _LONG_AGO
        self._heap = None
