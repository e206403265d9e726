"""The results of a batch as arrays: one entry for each device of each row, in the order of the report.

They stay arrays on the whole way from resolve to the result table: a million Python objects would cost
more than all the rest.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from worker.states import PENDING, SUCCESSES, Outcome

# `device_key` 0: the row led to no device. `outcome` 0: to be decided by apply. `duplicate_of` 0: no duplicate.
# `activate_on`: days since 1970, 0 for none. `report_row`: its row in the report that it came from, 0 for none.
ENTRY: Final = np.dtype(
    [
        ("row", "<i4"),
        ("position", "<i2"),
        ("named_by", "u1"),
        ("outcome", "u1"),
        ("reason", "u1"),
        ("device_key", "<i8"),
        ("duplicate_of", "<i4"),
        ("activate_on", "<i4"),
        ("report_row", "<i4"),
    ]
)
# A device to be claimed, and the place of its entry in the batch.
PENDING_DEVICE: Final = np.dtype([("device_key", "<i8"), ("slot", "<i4")])
# What apply decided for one device; `holder` is the key of the project that held it, 0 for none.
VERDICT: Final = np.dtype([("outcome", "u1"), ("holder", "<i8")])

_SUCCESSES: Final = [outcome.number for outcome in SUCCESSES]

Entries: TypeAlias = npt.NDArray[Any]
Pending: TypeAlias = npt.NDArray[Any]
Verdicts: TypeAlias = npt.NDArray[Any]


def mark_duplicates(entries: Entries) -> Pending:
    """Mark every entry whose device an earlier row named; returns the others by ascending device key."""
    slots = np.flatnonzero(entries["device_key"])
    slots = slots[np.argsort(entries["device_key"][slots], kind="stable")]
    keys = entries["device_key"][slots]
    repeated = np.zeros(len(keys), dtype=bool)
    repeated[1:] = keys[1:] == keys[:-1]
    firsts = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(keys))))
    entries["outcome"][slots[repeated]] = Outcome.DUPLICATE.number
    entries["duplicate_of"][slots[repeated]] = entries["row"][slots[firsts[repeated]]]
    pending = np.empty(int((~repeated).sum()), dtype=PENDING_DEVICE)
    pending["device_key"] = keys[~repeated]
    pending["slot"] = slots[~repeated]
    return pending


def cut_chunks(pending: Pending, size: int) -> list[Pending]:
    """Ranges of device keys with at most `size` devices each: no device lies in two of them."""
    return [pending[start : start + size] for start in range(0, len(pending), size)]


def cut_parts(entries: Entries, size: int) -> Iterator[Entries]:
    """The entries in order, about `size` at a time; a row is never cut in two."""
    start = 0
    while start < len(entries):
        row_after = entries["row"][min(start + size, len(entries)) - 1] + 1
        end = int(np.searchsorted(entries["row"], row_after))
        yield entries[start:end]
        start = end


def scatter(pending: Pending, verdicts: Verdicts, into: Verdicts) -> None:
    """Put the verdicts of one chunk into their places among those of the whole batch."""
    into[pending["slot"]] = verdicts


def decide(entries: Entries, verdicts: Verdicts) -> Entries:
    """The entries with the outcomes that apply decided; what it never decided was not processed."""
    decided = entries.copy()
    open_ = decided["outcome"] == PENDING
    outcomes = verdicts["outcome"][open_]
    decided["outcome"][open_] = np.where(outcomes == PENDING, Outcome.NOT_PROCESSED.number, outcomes)
    return decided


def count_outcomes(entries: Entries) -> dict[str, int]:
    """How many entries have each outcome; without those that none has."""
    counts = np.bincount(entries["outcome"], minlength=len(Outcome) + 1)
    return {outcome.value: int(counts[outcome.number]) for outcome in Outcome if counts[outcome.number]}


def count_failed_rows(entries: Entries) -> int:
    """How many rows have a result that their sender has to look at; a row is never in two parts."""
    return len(np.unique(failed_rows(entries)))


def failed_rows(entries: Entries) -> npt.NDArray[np.int32]:
    """The rows of which a result has to be looked at, some of them more than once."""
    return entries["row"][~np.isin(entries["outcome"], _SUCCESSES)]


def has_any(outcomes: npt.NDArray[Any], wanted: frozenset[Outcome]) -> bool:
    """Whether one of the wanted outcomes is among them."""
    return bool(np.isin(outcomes, [outcome.number for outcome in wanted]).any())
