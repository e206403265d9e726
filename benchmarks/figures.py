"""What was measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """Seconds that half of all, and 99 % of all, stay below."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Pair:
    """One run of the reference, and one of claimd right after it, in seconds."""

    reference: float
    product: float
    parts: dict[str, float]

    @property
    def ratio(self) -> float:
        """How much longer claimd took."""
        return self.product / self.reference


@dataclass(frozen=True)
class Size:
    """Everything about files of one size; memory in bytes."""

    rows: int
    pairs: list[Pair]
    api_peak: int
    worker_peak: int

    @property
    def reference(self) -> float:
        """The median of the reference, in seconds."""
        return statistics.median(pair.reference for pair in self.pairs)

    @property
    def product(self) -> float:
        """The median of claimd, in seconds."""
        return statistics.median(pair.product for pair in self.pairs)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(pair.ratio for pair in self.pairs)

    def part(self, name: str) -> float:
        """The median of a part of claimd's run, in seconds."""
        return statistics.median(pair.parts[name] for pair in self.pairs)


@dataclass(frozen=True)
class Small:
    """Tasks that do nothing, also watched by Flower, beside batches of one kit; rates by the second."""

    noop_rate: float
    noop_trip: Spread
    watched_rate: float
    batch_rate: float
    batch_time: Spread

    @property
    def ratio(self) -> float:
        """Batches for each task that does nothing."""
        return self.batch_rate / self.noop_rate


@dataclass(frozen=True)
class Deliveries:
    """Webhooks, all committed at once: seconds until each was accepted; and of one alone."""

    deliveries: int
    seconds: float
    times: Spread
    trip: Spread

    @property
    def rate(self) -> float:
        """Deliveries a second, but for the slowest hundredth, which was refused at first."""
        return 0.99 * self.deliveries / self.times.p99


@dataclass(frozen=True)
class Activation:
    """Subscriptions that were all due, by hand and by claimd; batches of so many rows, alone and beside that."""

    subscriptions: int
    rows: int
    pairs: list[Pair]
    beside: list[Pair]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(pair.ratio for pair in self.pairs)

    @property
    def slowdown(self) -> float:
        """The median of how much longer a batch takes beside it."""
        return statistics.median(pair.ratio for pair in self.beside)


@dataclass(frozen=True)
class Fairness:
    """A batch of one kit alone, while another's largest batch runs, and while so many of another's batches wait."""

    batches: int
    idle: Spread
    beside_rows: Spread
    beside_batches: Spread

    @property
    def rows_slowdown(self) -> float:
        """How much longer the slow end takes beside the large batch."""
        return self.beside_rows.p99 / self.idle.p99

    @property
    def batches_slowdown(self) -> float:
        """How much longer it takes beside the small ones."""
        return self.beside_batches.p99 / self.idle.p99


@dataclass(frozen=True)
class Figures:
    """One run of the benchmark."""

    devices: int
    workers: int
    machine: str
    sizes: list[Size]
    rows_by_orm: int
    seconds_by_orm: float
    small: Small
    deliveries: Deliveries
    activation: Activation
    fairness: Fairness
    targets: list["Target"] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """Something that is to be reached, and whether it was."""

    what: str
    found: str
    is_met: bool


def spread(seconds: Sequence[float]) -> Spread:
    """The middle and the slow end."""
    ordered = sorted(seconds)
    return Spread(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])
