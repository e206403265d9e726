"""Some groups of the input, side by side, so that all they name is looked up at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import compress, islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from worker.batches.entries import ENTRY, Entries
from worker.intake import (
    NO_DAY,
    Checkpoint,
    Dialect,
    Group,
    References,
    RefKind,
    activation_days,
    day_number,
    references,
)
from worker.queries.calendar import Days
from worker.states import NamedBy, Outcome, Reason

# Enough to walk an index once from left to right, few enough for the memory.
GROUPS_AT_ONCE = 100

Keys: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """What remains of one group."""

    place: Checkpoint
    count: int
    refs: References
    days: list[int] | None
    report_rows: Sequence[int]

    @classmethod
    def of(cls, dialect: Dialect, group: Group) -> "_Part":
        days = activation_days(dialect, group)
        return cls(group.start, len(group.records), references(dialect, group), days, group.report_rows)

    @property
    def rows(self) -> npt.NDArray[np.int32]:
        return np.arange(self.place.row, self.place.row + self.count, dtype=np.int32)

    def numbers(self, values: Sequence[int] | None) -> npt.NDArray[np.int32]:
        """One value for each record; 0 where there are none."""
        return np.array(values, dtype=np.int32) if values else np.zeros(self.count, dtype=np.int32)


@dataclass(frozen=True)
class Window:
    """The references of some groups, one after the other; codes and reasons by index."""

    places: list[Checkpoint]  # where its groups begin
    rows: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    days: npt.NDArray[np.int32]  # of activation
    report_rows: npt.NDArray[np.int32]
    identifiers: list[str]
    codes: dict[int, str]
    reasons: dict[int, int]

    def look_up(self, wanted: npt.NDArray[np.bool_], find: Callable[[Sequence[str]], Keys]) -> Keys:
        """The key that `find` knows for each wanted identifier; 0 for all others."""
        keys = np.zeros(len(self.rows), dtype=np.int64)
        if wanted.all():
            keys[:] = find(self.identifiers)
        elif wanted.any():
            keys[wanted] = find(list(compress(self.identifiers, wanted.tolist())))
        return keys

    def single_entries(self, device_keys: Keys, is_kit: npt.NDArray[np.bool_]) -> Entries:
        """One entry for each row that is not a kit: its device, or what is wrong with it."""
        entries = np.zeros(len(self.rows), dtype=ENTRY)
        entries["row"] = self.rows
        entries["device_key"] = device_keys
        entries["activate_on"] = self.days
        entries["report_row"] = self.report_rows
        entries["named_by"] = np.where(self.kinds == RefKind.PAIR, NamedBy.SERIAL_NUMBER, NamedBy.DEVICE_ID)
        entries["outcome"][device_keys == 0] = Outcome.NOT_FOUND.number
        invalid = self.kinds == RefKind.INVALID
        entries["outcome"][invalid] = Outcome.INVALID_IDENTIFIER.number
        entries["named_by"][invalid] = NamedBy.NOTHING
        for at, reason in self.reasons.items():
            entries["reason"][at] = reason
        entries["named_by"][self.kinds == RefKind.KIT] = NamedBy.KIT_ID
        return entries[~is_kit] if is_kit.any() else entries


def read_windows(dialect: Dialect, groups: Iterator[Group], days: Days | None) -> Iterator[Window]:
    """The groups, GROUPS_AT_ONCE in a window, with what their records name; the records themselves are let go.

    `days`: on which records may want to start; any other makes a record invalid. None if they cannot say.
    """
    while parts := [_Part.of(dialect, group) for group in islice(groups, GROUPS_AT_ONCE)]:
        window = _join(parts)
        yield window if days is None else _without_other_days(window, days)


def read_ahead(windows: Iterator[Window]) -> Iterator[Window]:
    """The windows; while the caller waits for the database with one, the next is read."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, windows, None)
        while (some := coming.result()) is not None:
            coming = thread.submit(next, windows, None)
            yield some


def _join(parts: list[_Part]) -> Window:
    starts = np.cumsum([0, *(part.count for part in parts[:-1])]).tolist()
    found = [(start, part.refs) for start, part in zip(starts, parts, strict=True)]
    return Window(
        places=[part.place for part in parts],
        rows=np.concatenate([part.rows for part in parts]),
        kinds=np.frombuffer(b"".join(part.refs.kinds for part in parts), dtype=np.uint8),
        days=np.concatenate([part.numbers(part.days) for part in parts]),
        report_rows=np.concatenate([part.numbers(part.report_rows) for part in parts]),
        identifiers=[name for part in parts for name in part.refs.identifiers],
        codes={start + at: code for start, refs in found for at, code in refs.codes.items()},
        reasons={start + at: reason.number for start, refs in found for at, reason in refs.reasons.items()},
    )


def _without_other_days(window: Window, days: Days) -> Window:
    outside = (window.days < day_number(days.first)) | (window.days > day_number(days.last))
    refused = outside & (window.days != NO_DAY) & (window.kinds != RefKind.INVALID)
    if not refused.any():
        return window
    reasons = dict.fromkeys(np.flatnonzero(refused).tolist(), Reason.BAD_ACTIVATION_DATE.number)
    return replace(
        window,
        kinds=np.where(refused, RefKind.INVALID, window.kinds).astype(np.uint8),
        codes={at: code for at, code in window.codes.items() if not refused[at]},
        reasons=window.reasons | reasons,
    )
