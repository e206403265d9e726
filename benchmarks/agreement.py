"""Whether both ways have come to the same outcomes, row by row: a benchmark of something else is worth nothing."""

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

_COLUMNS = ("typed", "row", "line", "outcome", "device_id")


def check_agreement(reference: Path, product: Path) -> Counter[str]:
    """The outcomes by their number.

    Raises:
        RuntimeError: the reports differ.
    """
    outcomes: Counter[str] = Counter()
    for ours, theirs in zip_longest(_rows(product), _rows(reference)):
        if ours != theirs:
            raise RuntimeError(f"claimd says {ours}, the reference {theirs}")
        outcomes[ours[3]] += 1
    return outcomes


def _rows(report: Path) -> Iterator[tuple[str, ...]]:
    """The cells that mean the same in both; the names of the first column differ."""
    with report.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            yield tuple(line[: len(_COLUMNS)])
