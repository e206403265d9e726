"""The message that says "look at batch N". It carries nothing else and may be lost."""

from typing import Protocol

from worker.states import Queue, WorkKind


class Doorbell(Protocol):
    """Rings for a batch after its work was committed."""

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        """Ask `times` workers to look. Never raises and never waits long: the sweep rings again."""


class SilentDoorbell:
    """Rings nowhere: the sweep finds the work. For programs without a broker."""

    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:
        """Do nothing."""
