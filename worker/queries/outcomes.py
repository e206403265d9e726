"""Results, written once and in the order of the report, with the places from which the input is read again."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql
from sqlalchemy import Connection, text

from worker.pgcopy import Column, copy_rows, read_rows

_FORGET_RESULTS = text("delete from result where batch_key = :batch")
_FORGET_READING = (
    text("delete from checkpoint where batch_key = :batch"),
    text("delete from kit_row where batch_key = :batch"),
)
_STORE_CHECKPOINTS = text("""
    insert into checkpoint (batch_key, row, byte_offset, line)
    select :batch, * from unnest(cast(:rows as bigint[]), cast(:offsets as bigint[]), cast(:lines as bigint[]))""")
_STORE_KIT_ROWS = text("""
    insert into kit_row (batch_key, row, kit_key)
    select :batch, row, nullif(kit, 0)
    from unnest(cast(:rows as bigint[]), cast(:kits as bigint[])) as named(row, kit)""")
_PREVIOUS = sql.SQL("""
    select row, position, coalesce(preview_outcome, outcome) as outcome
    from result where batch_key = {batch} order by row, position""")


def forget_results(connection: Connection, batch: int) -> None:
    """Make place for other results."""
    connection.execute(_FORGET_RESULTS, {"batch": batch})


def forget_reading(connection: Connection, batch: int) -> None:
    """Make place for other checkpoints and kit rows."""
    for statement in _FORGET_READING:
        connection.execute(statement, {"batch": batch})


def write_results(
    connection: Connection, batch: int, parts: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]
) -> None:
    """Write the results of a batch that has none.

    Each part is (entries, holders, preview outcomes), all of one length; 0 stands for null in `device_key`,
    `duplicate_of`, holders and preview outcomes.
    """
    copy_rows(connection, "result", _columns(batch, parts))


def read_previous(connection: Connection, batch: int) -> npt.NDArray[Any]:
    """What the preview said: an array with `row`, `position` and `outcome`, in the order of the report."""
    sizes = {"row": 4, "position": 2, "outcome": 2}
    return read_rows(connection, _PREVIOUS.format(batch=sql.Literal(batch)), sizes)


def store_reading(
    connection: Connection, batch: int, checkpoints: npt.NDArray[np.int64], kit_rows: npt.NDArray[np.int64]
) -> None:
    """Keep where the input can be read again, and which rows named a kit.

    `checkpoints`: shape (n, 3), row, byte offset, line. `kit_rows`: shape (n, 2), row, kit key or 0.
    """
    if len(checkpoints):
        rows, offsets, lines = checkpoints.T
        connection.execute(_STORE_CHECKPOINTS, {"batch": batch, "rows": rows, "offsets": offsets, "lines": lines})
    if len(kit_rows):
        rows, kits = kit_rows.T
        connection.execute(_STORE_KIT_ROWS, {"batch": batch, "rows": rows, "kits": kits})


def _columns(
    batch: int, parts: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]
) -> Iterator[tuple[list[Column], int]]:
    for entries, holders, previews in parts:
        device, duplicate = entries["device_key"], entries["duplicate_of"]
        columns = [
            Column("batch_key", 8, batch),
            Column("row", 4, entries["row"]),
            Column("position", 2, entries["position"]),
            Column("outcome", 2, entries["outcome"]),
            Column("reason", 2, entries["reason"]),
            Column("named_by", 2, entries["named_by"]),
            Column("preview_outcome", 2, previews, previews == 0),
            Column("duplicate_of_row", 4, duplicate, duplicate == 0),
            Column("device_key", 8, device, device == 0),
            Column("holder_key", 8, holders, holders == 0),
        ]
        yield columns, len(entries)
