"""The values that pass between intake and its callers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeAlias

from worker.intake.columns import ACTIVATE_ON, columns_called, roles_of

Source: TypeAlias = Literal["csv", "json"]

# A group ends after so many physical lines, or after the line with which it gets so many characters:
# what one group costs in memory is bounded whatever the lines are like.
GROUP_LINES: Final = 1000
GROUP_CHARS: Final = 524_288


@dataclass(frozen=True)
class Limits:
    """The largest input that is read: beyond it the batch is rejected."""

    rows: int = 1_000_000
    record_chars: int = 1_048_576
    columns: int = 1_000


@dataclass(frozen=True)
class Checkpoint:
    """A place between two records from which the input can be read again."""

    row: int  # the number that the next row gets
    offset: int  # bytes of the stored input before it
    line: int  # the physical line that begins here; 0 in JSON, which has no lines to speak of


@dataclass(frozen=True)
class Dialect:
    """All that is needed to read any part of the input again."""

    source: Source
    encoding: str
    delimiter: str
    names: tuple[str, ...]  # the user's columns as typed, made unique; the report's own are not among them
    start: Checkpoint  # where the first data record is
    headerless: bool = False
    from_report: bool = False  # each record carries the six columns of a report behind the user's own

    @cached_property
    def roles(self) -> Mapping[str, int]:
        """Where the known columns are."""
        return roles_of(self.names)

    @cached_property
    def day_column(self) -> int | None:
        """Where the days of activation are."""
        found = [] if self.headerless else columns_called(ACTIVATE_ON, self.names)
        return found[0] if found else None

    @property
    def has_codes(self) -> bool:
        """Whether any cell of this input can hold a claim code by its column."""
        return "claim_code" in self.roles or "identifier" in self.roles

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"names": list(self.names)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The dialect that `to_json` gave."""
        changed = {"names": tuple(stored["names"]), "start": Checkpoint(**stored["start"])}
        return cls(**{**stored, **changed})


@dataclass(frozen=True)
class Group:
    """What up to 1,000 physical lines hold, and the rest of a record that began in the last of them."""

    start: Checkpoint
    records: list[list[str]]  # cells as typed; blank records are dropped
    lines: Sequence[int]  # where each record starts
    report_rows: Sequence[int] = ()  # of a report that came back: the row that each record was there; 0: not told

    @property
    def first_row(self) -> int:
        return self.start.row
