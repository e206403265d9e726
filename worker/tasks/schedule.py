"""Beat's schedule: kept in memory, sparing where nobody listens, and indifferent to a clock that is set back."""

from datetime import UTC, datetime
from typing import Any, Final

from celery.beat import ScheduleEntry, Scheduler

from worker.states import Queue

# With so many messages waiting, another would only be noise: each asks for all that is due. Celery's own way, to let
# them expire, makes Flower show tasks without a name.
ENOUGH_WAITING: Final = 20
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

    def apply_async(self, entry: ScheduleEntry, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # Celery's own types
        """Send a message unless enough of them wait; Celery notes what goes wrong, and goes on."""
        return super().apply_async(entry, *args, **options) if self._waiting() < ENOUGH_WAITING else None

    def _waiting(self) -> int:
        channel: Any = self.producer.channel
        return int(channel.queue_declare(queue=Queue.PERIODIC.value).message_count)

    def _start_over(self) -> None:
        for entry in self.schedule.values():
            entry.last_run_at = _LONG_AGO
        self._heap = None
