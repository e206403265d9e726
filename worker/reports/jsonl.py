"""The report as JSON lines: the documents of the pages, one after the other."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Row

from worker.principal import Principal
from worker.queries import results
from worker.reports.access import ReadBatch, open_results, require_same_results
from worker.reports.documents import piece_documents, rows_of
from worker.reports.source import BEGINNING, join, read_all
from worker.runtime import Runtime

# Results of one short transaction.
WINDOW: Final = 1000


def report_jsonl(runtime: Runtime, principal: Principal, batch_id: str) -> Iterator[bytes]:
    """One result on each line.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        ResultsNotReady: it is still being worked on; while the report is read: it was taken up again.
    """
    with runtime.transaction() as connection:
        batch = open_results(connection, principal, batch_id)
    return _stream(runtime, batch)


def _stream(runtime: Runtime, batch: ReadBatch) -> Iterator[bytes]:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for page, piece in join(read_all(runtime, batch), _windows(runtime, batch), rows_of):
        lines = [encode(document) + "\n" for document in piece_documents(batch, page, piece)]
        yield "".join(lines).encode()


def _windows(runtime: Runtime, batch: ReadBatch) -> Iterator[Sequence[Row[Any]]]:
    after = BEGINNING
    while True:
        with runtime.transaction() as connection:
            require_same_results(connection, batch)
            window = results.fetch_results(connection, batch.reader, after, WINDOW, None)
        if not window:
            return
        yield window
        after = (window[-1].row, window[-1].position)
