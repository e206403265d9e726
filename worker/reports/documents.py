"""Results as JSON documents, for pages and for JSON lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from worker.intake import input_of
from worker.reports.access import ReadBatch
from worker.reports.source import Piece, line_of, record_of, required_dialect
from worker.reports.wording import Particulars, detail, hint
from worker.states import Outcome, Reason


def rows_of(page: Sequence[Row[Any]]) -> list[int]:
    """The row that each result is of."""
    return [row.row for row in page]


def piece_documents(batch: ReadBatch, page: Sequence[Row[Any]], piece: Piece) -> Iterator[dict[str, Any]]:
    """The results of one group."""
    dialect = required_dialect(batch)
    for result in page[piece.start : piece.stop]:
        typed = input_of(dialect, record_of(piece.group, result.row))
        yield _document(result, line_of(piece.group, result.row), typed)


def bare_documents(page: Sequence[Row[Any]]) -> Iterator[dict[str, Any]]:
    """The same where the input is no longer kept."""
    return (_document(result, None, None) for result in page)


def _document(result: Row[Any], line: int | None, typed: Mapping[str, str] | None) -> dict[str, Any]:
    outcome = Outcome.of(result.outcome)
    reason = Reason.of(result.reason) if result.reason else None
    told = Particulars(result.duplicate_of_row, result.first_kit_id, result.holder)
    preview = result.preview_outcome
    return {
        "row": result.row,
        "line": line,
        "input": typed,
        "outcome": outcome,
        "device_id": result.device_id,
        "kit_id": result.kit_id,
        "serial_number": result.serial_number,
        "detail": detail(outcome, reason, told),
        "hint": hint(outcome, reason),
        "duplicate_of_row": result.duplicate_of_row,
        "preview_outcome": None if preview is None else Outcome.of(preview),
    }
