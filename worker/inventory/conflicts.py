"""What is wrong with an inventory file: the first lines of it, and how many there are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from worker.errors import ImportConflicts

Conflict: TypeAlias = tuple[int, str]  # the physical line, and what is wrong with it
MAX_LISTED: Final = 100


@dataclass
class Conflicts:
    """Counts all conflicts and keeps the first of them."""

    total: int = 0
    listed: list[Conflict] = field(default_factory=list)

    def add(self, conflicts: Iterable[Conflict], total: int | None = None) -> None:
        """Add some; `total` where there are more than are handed over."""
        before = len(self.listed)
        self.listed += conflicts
        self.total += len(self.listed) - before if total is None else total
        self.listed = sorted(self.listed)[:MAX_LISTED]

    def refuse(self) -> None:
        """Let nothing pass if there is any.

        Raises:
            ImportConflicts: with the listed ones, and `errors_total`.
        """
        if not self.total:
            return
        lines = "1 line" if self.total == 1 else f"{self.total:,} lines"
        raise ImportConflicts(
            f"Nothing was imported: {lines} of the file cannot be used.",
            errors=[{"line": line, "detail": detail} for line, detail in self.listed],
            errors_total=self.total,
        )


def refuse_file(line: int, detail: str) -> ImportConflicts:
    """The refusal of a file that cannot be read beyond `line`."""
    return ImportConflicts(
        "Nothing was imported: the file cannot be read.",
        errors=[{"line": line, "detail": detail}],
        errors_total=1,
    )
