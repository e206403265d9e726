"""What two organizations' doings must come to, in plain Python: claims as `tests.model` has them, and what follows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.model import Result, Row, World

HELD_BACK = 1.0
"""Hours of the hold window; whatever lets time pass, lets more than that pass."""


@dataclass
class Batch:
    """A batch as its owner sees it, and whether it can still be taken back."""

    batch_id: str
    project: str
    rows: list[Row]
    atomic: bool
    state: str = "received"
    results: list[Result] = field(default_factory=list)
    is_held: bool = True

    @property
    def claimed(self) -> list[str]:
        return [str(device) for _, device, outcome in self.results if outcome == "claimed"]


@dataclass
class Period:
    """Prepaid time of a device that is held: when it starts, in hours of business time; None: with its batch."""

    batch: Batch
    planned: float | None = None
    is_active: bool = False


@dataclass
class Story(World):
    """The inventory, who holds what, and whose prepaid time runs."""

    periods: dict[str, Period] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    hours: float = 0.0

    def carry_out(self, batch: Batch) -> None:
        """Claim what the batch wants."""
        batch.state, batch.results = self.claim(batch.project, batch.rows, atomic=batch.atomic)
        self._begin(batch)

    def preview(self, batch: Batch) -> None:
        """Say what it would claim; bad rows reject nothing."""
        batch.state = "previewed"
        batch.results = self._imagine(batch, lambda outcome: "claimable" if outcome == "claimed" else outcome)

    def cancel_preview(self, batch: Batch) -> None:
        """Nothing is claimed, and nobody looks at who holds what."""
        batch.state, batch.is_held = "cancelled", True
        fixed = {"not_found", "duplicate"}
        batch.results = self._imagine(batch, lambda outcome: outcome if outcome in fixed else "not_processed")

    def adopt(self, batch: Batch, state: str, results: list[Result]) -> None:
        """What a batch came to that was cancelled while it ran: any part of what it would have come to."""
        before = dict(self.holders)
        _, expected = self.claim(batch.project, batch.rows)
        assert state in {"completed", "cancelled"}
        by_place = {(row, device): outcome for row, device, outcome in expected}
        for row, device, outcome in results:
            assert outcome in {"not_processed", by_place.get((row, device))}, (row, device, outcome, expected)
        if state == "completed":
            assert results == expected
        batch.state, batch.results = state, results
        self.holders = before | dict.fromkeys(batch.claimed, batch.project)
        self._begin(batch)

    def can_revert(self, batch: Batch) -> bool:
        """Within its hold window."""
        return batch.is_held and batch.state in {"completed", "cancelled"}

    def revert(self, batch: Batch) -> dict[str, str]:
        """All that it claimed is free again."""
        batch.state = "reverted"
        for device in batch.claimed:
            del self.holders[device], self.periods[device]
        return dict.fromkeys(batch.claimed, "released")

    def plan(self, project: str, devices: Iterable[str], hours: float | None) -> dict[str, str]:
        """Let prepaid time start at another time, where it does not run."""
        return {device: self._plan(project, device, hours) for device in devices}

    def pass_time(self, hours: float) -> None:
        """All hold windows end, and what is due starts."""
        assert hours > HELD_BACK
        self.hours += hours
        for batch in self.batches:
            batch.is_held = False
        self.activate()

    def activate(self) -> None:
        """Whatever is due starts."""
        for period in self.periods.values():
            period.is_active |= not period.batch.is_held and (period.planned or 0.0) <= self.hours

    def active(self) -> list[str]:
        """The devices whose prepaid time runs."""
        return sorted(device for device, period in self.periods.items() if period.is_active)

    def held_by(self, project: str) -> list[str]:
        """The devices of a project."""
        return sorted(device for device, holder in self.holders.items() if holder == project)

    def _imagine(self, batch: Batch, would: Callable[[str], str]) -> list[Result]:
        holders = dict(self.holders)
        _, results = self.claim(batch.project, batch.rows)
        self.holders = holders
        return [(row, device, would(outcome)) for row, device, outcome in results]

    def _begin(self, batch: Batch) -> None:
        batch.is_held = True
        self.periods |= {device: Period(batch) for device in batch.claimed}

    def _plan(self, project: str, device: str, hours: float | None) -> str:
        if device not in self.devices:
            return "not_found"
        if self.holders.get(device) != project:
            return "not_yours"
        if self.periods[device].is_active:
            return "already_active"
        self.periods[device].planned = hours and self.hours + hours
        return "scheduled"
