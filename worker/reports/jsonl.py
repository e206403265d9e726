"""The report as JSON lines: the documents of the pages, one after the other."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Row

from worker.principal import Principal
from worker.queries import results
from worker.reports.access import ReadBatch, open_results, require_same_results
from worker.reports.documents import bare_documents, piece_documents, rows_of
from worker.reports.source import BEGINNING, join, read_all
from worker.runtime import Runtime

# Results of one short transaction.
WINDOW: Final = 1000


def report_jsonl(runtime: Runtime, principal: Principal, batch_id: str) -> Iterator[bytes]:
    """One result on each line.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        ResultsNotReady: it is still being worked on; while the report is read: it was taken up again.
        ResultsPruned: the results are no longer kept.
    """
    with runtime.transaction() as connection:
        batch = open_results(connection, principal, batch_id)
    return stream_jsonl(runtime, batch)


def stream_jsonl(runtime: Runtime, batch: ReadBatch) -> Iterator[bytes]:
    """The same of a batch that was opened before."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for documents in _documents(runtime, batch):
        yield "".join([encode(document) + "\n" for document in documents]).encode()


def _documents(runtime: Runtime, batch: ReadBatch) -> Iterator[Iterator[dict[str, Any]]]:
    windows = read_windows(runtime, batch)
    if batch.input_pruned:
        yield from map(bare_documents, windows)
        return
    for page, piece in join(read_all(runtime, batch), windows, rows_of):
        yield piece_documents(batch, page, piece)


def read_windows(runtime: Runtime, batch: ReadBatch) -> Iterator[Sequence[Row[Any]]]:
    """All results in order, some at a time.

    Raises:
        ResultsNotReady, ResultsPruned: on the way, if they do not stay as they are.
    """
    after = BEGINNING
    while True:
        with runtime.transaction() as connection:
            window = results.fetch_results(connection, batch.reader, after, WINDOW, None)
            require_same_results(connection, batch)
        if not window:
            return
        yield window
        after = (window[-1].row, window[-1].position)
