"""The message that says "look at batch N". It carries nothing else and may be lost."""

from typing import Protocol

from worker.states import PeriodicTask, Queue, WorkKind


class Doorbell(Protocol):
    """Rings for a batch after its work was committed."""

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        """Ask `times` workers to look. Never raises and never waits long: the sweep rings again."""

    def nudge(self, task: PeriodicTask) -> None:
        """Ask for a periodic task before its time. Never raises and never waits: it comes at its time anyway."""

    def waiting(self, queue: Queue) -> int | None:
        """How many rings wait in `queue`; None if the broker cannot be asked. Never raises."""

    def close(self, timeout: float) -> None:
        """Send what was rung, for `timeout` seconds at most."""


class SilentDoorbell:
    """Rings nowhere: the sweep finds the work. For programs without a broker."""

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        """Do nothing."""

    def nudge(self, task: PeriodicTask) -> None:
        """Do nothing."""

    def waiting(self, queue: Queue) -> int | None:  # noqa: ARG002  # of the protocol
        """Nothing ever waits."""
        return 0

    def close(self, timeout: float) -> None:
        """Do nothing."""
