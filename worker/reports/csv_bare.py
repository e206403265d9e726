"""The CSV report of a batch whose input is no longer kept: its own columns and nothing else."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from worker.intake import REPORT_COLUMNS
from worker.reports.access import ReadBatch
from worker.reports.csv_cells import LINE_END, csv_lines
from worker.reports.documents import bare_documents
from worker.reports.jsonl import read_windows
from worker.runtime import Runtime
from worker.states import SUCCESSES


def bare_lines(runtime: Runtime, batch: ReadBatch, delimiter: str, *, only_failed: bool) -> Iterator[bytes]:
    """The lines below the header; `only_failed`: one for each row that failed, with its first failure."""
    last = 0
    for window in read_windows(runtime, batch):
        documents = list(bare_documents(window))
        if only_failed:
            documents = list(_first_failures(documents, last))
            last = documents[-1]["row"] if documents else last
        lines = csv_lines((_cells(document) for document in documents), delimiter)
        yield "".join(line + LINE_END for line in lines).encode()


def _first_failures(documents: Iterable[dict[str, Any]], told: int) -> Iterator[dict[str, Any]]:
    failed = (each for each in documents if each["outcome"] not in SUCCESSES and each["row"] > told)
    return (next(of_row) for _, of_row in groupby(failed, key=lambda each: each["row"]))


def _cells(document: dict[str, Any]) -> list[str]:
    values = (document[name] for name in REPORT_COLUMNS)
    return ["" if value is None else str(value) for value in values]
