"""What the end of a batch brings about: days on which its devices start, rows of its parent that are mended."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from worker.batches.entries import Entries, failed_rows
from worker.queries.batches import Batch
from worker.queries.mending import count_mended, mend_rows
from worker.queries.schedules import schedule_devices
from worker.states import BatchState, Operation, Outcome

Part: TypeAlias = tuple[Entries, npt.NDArray[Any], npt.NDArray[Any]]

# The last outcome of every row is known, and what was claimed stays.
FINAL = frozenset({BatchState.COMPLETED, BatchState.CANCELLED})


@dataclass
class Consequences:
    """Collected while the results are written, carried out in the same transaction."""

    batch: Batch
    wishes: list[Entries] = field(default_factory=list)
    mended: list[npt.NDArray[np.int32]] = field(default_factory=list)
    claimed_rows: int = 0
    names_rows: bool = False  # of the parent: the input is its report

    def watch(self, parts: Iterator[Part]) -> Iterator[Part]:
        """The parts of the results as they pass by; no row is in two of them."""
        is_final = self.batch.operation is Operation.CLAIM and not self.batch.only_looks
        for part in parts:
            if is_final:
                self._look_at(part[0])
            yield part

    def _look_at(self, decided: Entries) -> None:
        claimed = decided["outcome"] == Outcome.CLAIMED.number
        wished = claimed & (decided["activate_on"] > 0)
        if wished.any():
            self.wishes.append(decided[wished])
        if self.batch.parent_key is not None:
            self._look_for_mended(decided, claimed)

    def carry_out(self, connection: Connection, state: BatchState) -> None:
        """Change what follows from the batch's end in `state`."""
        if state not in FINAL:
            return
        if self.wishes:
            wishes = np.concatenate(self.wishes)
            schedule_devices(connection, self.batch.key, wishes["device_key"], wishes["activate_on"])
        if self.mended:
            rows = mend_rows(connection, self.batch.key, np.unique(np.concatenate(self.mended)))
            count_mended(connection, self.batch.key, rows)
        elif self.claimed_rows and not self.names_rows:
            count_mended(connection, self.batch.key, self.claimed_rows)

    def _look_for_mended(self, decided: Entries, claimed: npt.NDArray[np.bool_]) -> None:
        self.claimed_rows += len(np.unique(decided["row"][claimed]))
        told = decided["report_row"] > 0
        if told.any():
            self.names_rows = True
            failed = np.isin(decided["row"], failed_rows(decided))
            self.mended.append(decided["report_row"][told & ~failed])
