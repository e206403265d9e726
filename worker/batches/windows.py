"""Some groups of the input, side by side, so that all they name is looked up at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress, islice, repeat
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from worker.batches.entries import ENTRY, Entries
from worker.intake import Checkpoint, Dialect, Group, References, RefKind, references
from worker.states import NamedBy, Outcome

# Enough to walk an index once from left to right, few enough for the memory.
GROUPS_AT_ONCE = 50

Keys: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """The references of some groups, one after the other; codes and reasons by index."""

    places: list[Checkpoint]  # where its groups begin
    rows: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    identifiers: list[str]
    codes: dict[int, str]
    reasons: dict[int, int]

    def look_up(self, wanted: npt.NDArray[np.bool_], find: Callable[[set[str]], dict[str, int]]) -> Keys:
        """The key that `find` knows for each wanted identifier; 0 for all others."""
        if not wanted.any():
            return np.zeros(len(self.rows), dtype=np.int64)
        if wanted.all():
            return self._keys(self.identifiers, find)
        keys = np.zeros(len(self.rows), dtype=np.int64)
        keys[wanted] = self._keys(list(compress(self.identifiers, wanted.tolist())), find)
        return keys

    def single_entries(self, device_keys: Keys, is_kit: npt.NDArray[np.bool_]) -> Entries:
        """One entry for each row that is not a kit: its device, or what is wrong with it."""
        entries = np.zeros(len(self.rows), dtype=ENTRY)
        entries["row"] = self.rows
        entries["device_key"] = device_keys
        entries["named_by"] = np.where(self.kinds == RefKind.PAIR, NamedBy.SERIAL_NUMBER, NamedBy.DEVICE_ID)
        entries["outcome"][device_keys == 0] = Outcome.NOT_FOUND.number
        invalid = self.kinds == RefKind.INVALID
        entries["outcome"][invalid] = Outcome.INVALID_IDENTIFIER.number
        entries["named_by"][invalid] = NamedBy.NOTHING
        for at, reason in self.reasons.items():
            entries["reason"][at] = reason
        entries["named_by"][self.kinds == RefKind.KIT] = NamedBy.KIT_ID
        return entries[~is_kit] if is_kit.any() else entries

    @staticmethod
    def _keys(identifiers: list[str], find: Callable[[set[str]], dict[str, int]]) -> Keys:
        found = find(set(identifiers))
        return np.fromiter(map(found.get, identifiers, repeat(0)), dtype=np.int64, count=len(identifiers))


def read_windows(dialect: Dialect, groups: Iterator[Group]) -> Iterator[Window]:
    """The groups, GROUPS_AT_ONCE in a window, with what their records name."""
    while some := list(islice(groups, GROUPS_AT_ONCE)):
        yield _join(some, [references(dialect, group) for group in some])


def read_ahead(windows: Iterator[Window]) -> Iterator[Window]:
    """The windows; while the caller waits for the database with one, the next is read."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, windows, None)
        while (some := coming.result()) is not None:
            coming = thread.submit(next, windows, None)
            yield some


def _join(groups: list[Group], found: list[References]) -> Window:
    rows = [np.arange(g.first_row, g.first_row + len(g.records), dtype=np.int32) for g in groups]
    starts = np.cumsum([0, *map(len, rows[:-1])]).tolist()
    parts = list(zip(starts, found, strict=True))
    return Window(
        places=[group.start for group in groups],
        rows=np.concatenate(rows),
        kinds=np.frombuffer(b"".join(refs.kinds for refs in found), dtype=np.uint8),
        identifiers=[name for refs in found for name in refs.identifiers],
        codes={start + at: code for start, refs in parts for at, code in refs.codes.items()},
        reasons={start + at: reason.number for start, refs in parts for at, reason in refs.reasons.items()},
    )
