"""A confirmed batch against its preview: which outcomes differ from what was shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.batches.entries import Entries
from worker.states import Outcome

# What a preview calls claimable is claimed, or would have been but for the batch's rejection.
_SAME_AS_CLAIMABLE = [Outcome.CLAIMED.number, Outcome.NOT_PROCESSED.number]
_POSITION_BITS = 16


@dataclass(frozen=True)
class Preview:
    """The outcomes of a preview by row and position in the row."""

    codes: npt.NDArray[np.int64]  # ascending
    outcomes: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, previous: npt.NDArray[Any]) -> "Preview":
        """`previous`: an array with `row`, `position` and `outcome`."""
        codes = _codes(previous)
        order = np.argsort(codes)
        return cls(codes[order], _comparable(previous["outcome"].astype(np.uint8))[order])

    def changes(self, decided: Entries) -> tuple[npt.NDArray[np.uint8], int, int]:
        """For each entry what the preview said if that differs, else 0; how many differ; how many were known.

        An entry that the preview did not have differs, but has nothing to show.
        """
        codes = _codes(decided)
        at = np.searchsorted(self.codes, codes)
        at[at == len(self.codes)] = 0
        known = self.codes[at] == codes if len(self.codes) else np.zeros(len(codes), dtype=bool)
        before = np.where(known, self.outcomes[at] if len(self.codes) else 0, 0).astype(np.uint8)
        differs = before != _comparable(decided["outcome"])
        return np.where(differs, before, 0).astype(np.uint8), int(differs.sum()), int(known.sum())

    def __len__(self) -> int:
        return len(self.codes)


def _codes(results: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return (results["row"].astype(np.int64) << _POSITION_BITS) | results["position"].astype(np.int64)


def _comparable(outcomes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.where(np.isin(outcomes, _SAME_AS_CLAIMABLE), Outcome.CLAIMABLE.number, outcomes).astype(np.uint8)
