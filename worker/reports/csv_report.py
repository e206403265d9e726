"""The report as CSV: the user's own columns beside what became of each row."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from worker.intake import REPORT_COLUMNS
from worker.principal import Principal
from worker.queries import results
from worker.queries.results import Window
from worker.reports.access import ReadBatch, open_results, require_same_results
from worker.reports.csv_bare import bare_lines
from worker.reports.csv_cells import LINE_END, csv_lines
from worker.reports.csv_table import Table
from worker.reports.source import BEGINNING, join, read_all
from worker.runtime import Runtime

# Results of one short transaction.
WINDOW: Final = 10_000
BOM: Final = b"\xef\xbb\xbf"


def report_csv(runtime: Runtime, principal: Principal, batch_id: str, *, only_failed: bool = False) -> Iterator[bytes]:
    """The report, piece by piece; `only_failed`: each failed row once, to be mended and sent again.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        ResultsNotReady: it is still being worked on; while the report is read: it was taken up again.
        ResultsPruned: the results are no longer kept.
    """
    with runtime.transaction() as connection:
        batch = open_results(connection, principal, batch_id)
    return stream_csv(runtime, batch, only_failed=only_failed)


def stream_csv(runtime: Runtime, batch: ReadBatch, *, only_failed: bool = False) -> Iterator[bytes]:
    """The same of a batch that was opened before."""
    yield BOM + _header(batch).encode()
    if batch.dialect is None:
        return
    if batch.input_pruned:
        yield from bare_lines(runtime, batch, batch.dialect.delimiter, only_failed=only_failed)
        return
    table = Table(batch.dialect)
    windows = _windows(runtime, batch, only_failed=only_failed)
    for window, piece in join(read_all(runtime, batch), windows, _rows_of):
        yield table.lines(window, piece).encode()


def _header(batch: ReadBatch) -> str:
    delimiter = batch.dialect.delimiter if batch.dialect else ","
    names = batch.dialect.names if batch.dialect and not batch.input_pruned else ()
    return csv_lines([[*names, *REPORT_COLUMNS]], delimiter)[0] + LINE_END


def _windows(runtime: Runtime, batch: ReadBatch, *, only_failed: bool) -> Iterator[Window]:
    """All results; while one window is made into lines, the database looks for the next one."""

    def fetch(after: tuple[int, int]) -> Window | None:
        with runtime.transaction() as connection:
            window = results.fetch_window(connection, batch.reader, after, WINDOW, only_failed=only_failed)
            require_same_results(connection, batch)
            return window

    ahead = ThreadPoolExecutor(max_workers=1)
    try:
        coming = ahead.submit(fetch, BEGINNING)
        while window := coming.result():
            coming = ahead.submit(fetch, window.last)
            yield window
    finally:
        # A reader who left early may be forgotten by any thread, also by this very one, which cannot wait for itself.
        ahead.shutdown(wait=False)


def _rows_of(window: Window) -> list[int]:
    return window.rows
