"""Results and kits of a batch, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from worker.cursors import decode_cursor, encode_cursor
from worker.errors import Invalid
from worker.intake import Group, references
from worker.principal import Principal
from worker.queries import results
from worker.reports.access import ReadBatch, open_results
from worker.reports.documents import bare_documents, piece_documents, rows_of
from worker.reports.source import BEGINNING, join, read_some, required_dialect
from worker.runtime import Runtime
from worker.states import Outcome

LARGEST_PAGE = 1000


def results_page(
    runtime: Runtime,
    principal: Principal,
    batch_id: str,
    outcome: Outcome | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Up to `limit` results in order of row, then device.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        ResultsNotReady, ResultsPruned: it is still being worked on; they are no longer kept.
        Invalid: the limit or the cursor.
    """
    _check_limit(limit)
    after = decode_cursor(cursor, (int, int)) if cursor else BEGINNING
    with runtime.transaction() as connection:
        batch = open_results(connection, principal, batch_id)
        found = results.fetch_results(connection, batch.reader, after, limit + 1, outcome)
        page = found[:limit]
        items = list(_documents(runtime, connection, batch, page))
    following = encode_cursor(page[-1].row, page[-1].position) if len(found) > limit else None
    return {"items": items, "next_cursor": following}


def kits_page(
    runtime: Runtime, principal: Principal, batch_id: str, limit: int = 100, cursor: str | None = None
) -> dict[str, Any]:
    """Up to `limit` rows that named a kit, each with its number of devices and of their outcomes.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        ResultsNotReady, ResultsPruned: it is still being worked on; they are no longer kept.
        Invalid: the limit or the cursor.
    """
    _check_limit(limit)
    (after,) = decode_cursor(cursor, (int,)) if cursor else (0,)
    with runtime.transaction() as connection:
        batch = open_results(connection, principal, batch_id)
        found = results.fetch_kits(connection, batch.key, after, limit + 1)
        page = found[:limit]
        rows = [] if batch.input_pruned else [kit.row for kit in page if kit.kit_id is None]
        unknown = _typed_identifiers(batch, rows, read_some(runtime, connection, batch, rows))
    following = encode_cursor(page[-1].row) if len(found) > limit else None
    return {"items": [_kit_document(kit, unknown) for kit in page], "next_cursor": following}


def _documents(
    runtime: Runtime, connection: Connection, batch: ReadBatch, page: Sequence[Row[Any]]
) -> Iterator[dict[str, Any]]:
    if batch.input_pruned:
        yield from bare_documents(page)
        return
    groups = read_some(runtime, connection, batch, rows_of(page))
    for _, piece in join(groups, iter([page]), rows_of):
        yield from piece_documents(batch, page, piece)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= LARGEST_PAGE:
        raise Invalid(f"The limit is a number from 1 to {LARGEST_PAGE}.", parameter="limit")


def _kit_document(kit: Row[Any], unknown: Mapping[int, str]) -> dict[str, Any]:
    counts = sorted((int(number), count) for number, count in (kit.outcomes or {}).items())
    return {
        "row": kit.row,
        "kit_id": unknown.get(kit.row, kit.kit_id),
        "devices": int(kit.devices),
        "outcomes": {Outcome.of(number): count for number, count in counts},
    }


def _typed_identifiers(batch: ReadBatch, rows: list[int], groups: Iterator[Group]) -> dict[int, str]:
    """What the rows name, normalised."""
    named: dict[int, str] = {}
    for _, piece in join(groups, iter([rows]), list):
        identifiers = references(required_dialect(batch), piece.group).identifiers
        for row in rows[piece.start : piece.stop]:
            named[row] = identifiers[row - piece.group.first_row]
    return named
