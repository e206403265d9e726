"""The input as it came, except that claim codes are never given back."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from worker.intake import Dialect, InputRejected, detect
from worker.principal import Principal
from worker.reports.access import ReadBatch, open_batch
from worker.reports.masking import masked_csv, masked_json
from worker.reports.source import UNLIMITED, stored_input
from worker.runtime import Runtime
from worker.states import BatchState


@dataclass(frozen=True)
class OriginalInput:
    """A file as its sender knows it."""

    media_type: str
    file_name: str
    body: Iterator[bytes]


def original_input(runtime: Runtime, principal: Principal, batch_id: str) -> OriginalInput:
    """The stored input, with `***` for claim codes and not a byte changed elsewhere.

    Raises:
        NotFound: there is no such batch, or not for this principal.
        InputPruned: it is no longer kept.
        Forbidden: what cannot be read may hold codes, so it is given only to those who may send such files.
    """
    with runtime.transaction() as connection:
        batch = open_batch(connection, principal, batch_id)
    batch.require_input()
    dialect = _dialect(runtime, batch)
    if dialect is None:
        principal.require_change(batch.row["project_key"])
    kind, media_type = ("csv", "text/csv") if batch.is_csv else ("json", "application/json")
    name = batch.row["file_name"] or f"{batch_id}.{kind}"
    return OriginalInput(media_type, name, _body(runtime, batch, dialect))


def _dialect(runtime: Runtime, batch: ReadBatch) -> Dialect | None:
    """How the input is read; None if it was rejected because it cannot be."""
    if batch.state is BatchState.REJECTED and not batch.row["results_total"]:
        return None
    if batch.dialect:
        return batch.dialect
    try:
        return detect(lambda: stored_input(runtime, batch), "csv" if batch.is_csv else "json", UNLIMITED)
    except InputRejected:
        return None


def _body(runtime: Runtime, batch: ReadBatch, dialect: Dialect | None) -> Iterator[bytes]:
    blocks = stored_input(runtime, batch)
    if dialect is None:
        return blocks
    if not batch.is_csv:
        return masked_json(blocks)
    start = dialect.start.offset
    return chain(_first_bytes(blocks, start), masked_csv(stored_input(runtime, batch, start), dialect))


def _first_bytes(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The header and what is before it."""
    while count > 0:
        block = next(blocks)
        yield block[:count]
        count -= len(block)
