"""What a soak has counted, and the table that it becomes."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_SHOWN: Final = 10


@dataclass
class Tally:
    """Counts of all threads; `broken` has what must never be: lost, twice, or otherwise unexpected."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(default_factory=lambda: {"lost": [], "twice": [], "unexpected": []})
    verified: str = "not asked"
    recoveries: list[tuple[float, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self.counts[what] += by

    def retry(self, why: str) -> None:
        with self._lock:
            self.retries[why] += 1

    def fault(self, kind: str) -> None:
        with self._lock:
            self.faults[kind] += 1

    def recovered(self, kind: str, seconds: float) -> None:
        """A kit that was sent after a fault had ended so many seconds after it."""
        with self._lock:
            self.recoveries.append((seconds, kind))

    def broke(self, how: str, detail: str) -> None:
        """Something is lost, or there twice, or not as expected."""
        with self._lock:
            self.broken[how].append(detail)

    @property
    def is_sound(self) -> bool:
        return not any(self.broken.values())

    def summary(self) -> str:
        """One line, while it goes on."""
        retries, faults = self.retries.total(), self.faults.total()
        broken = ", ".join(f"{len(found)} {how}" for how, found in self.broken.items())
        done = f"{self.counts['batches']} batches, {self.counts['rows']} rows"
        return f"{done}, {retries} retries, {faults} faults, {broken}"

    def table(self, minutes: float) -> str:
        """Markdown, for docs/reliability.md."""
        lines = [("", ""), ("---", "---"), ("minutes", f"{minutes:g}")]
        lines += [(name, f"{count:,}") for name, count in sorted(self.counts.items())]
        lines += [("requests asked again", _listed(self.retries)), ("faults", _listed(self.faults))]
        lines += [("slowest recovery", self._slowest()), ("median recovery", self._median())]
        lines += [(how, str(len(found))) for how, found in self.broken.items()]
        lines.append(("`claimd verify`", self.verified))
        return "\n".join(f"| {name} | {value} |" for name, value in lines)

    def complaints(self) -> str:
        """The first examples of what is broken."""
        return "\n".join(f"{how}: {each}" for how, found in self.broken.items() for each in found[:_SHOWN])

    def _slowest(self) -> str:
        seconds, kind = max(self.recoveries, default=(0.0, "no fault"))
        return f"{seconds:.1f} s ({kind})"

    def _median(self) -> str:
        ordered = sorted(seconds for seconds, _ in self.recoveries)
        return f"{ordered[len(ordered) // 2]:.1f} s" if ordered else "0 s"


def _listed(counter: Counter[str]) -> str:
    each = ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))
    return f"{counter.total():,}: {each}" if each else "0"
