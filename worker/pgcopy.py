"""Columns of integers, or of one text, as one binary COPY, without a Python object per row.

The format is PostgreSQL's: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Connection

from worker import crashpoints

INT8_OID, INT8_ARRAY_OID = 20, 1016
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


@dataclass(frozen=True)
class Column:
    """One column: its name, its values (or one value for all rows) and where it is null.

    `size` is the width in bytes: 2, 4 or 8 as the SQL type has it, or the length of a text that all rows have.
    """

    name: str
    size: int
    values: npt.NDArray[Any] | int | bytes
    null: npt.NDArray[np.bool_] | None = None


def encode_rows(columns: list[Column], rows: int) -> bytes:
    """The rows as the body of a binary COPY, without signature and trailer."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for column in columns:
        layout += [(f"length of {column.name}", ">i4"), (column.name, _kind(column))]
    table = np.zeros(rows, dtype=layout)
    table["fields"] = len(columns)
    for column in columns:
        table[f"length of {column.name}"] = column.size
        table[column.name] = column.values
    return _without_nulls(table, columns) if any(c.null is not None for c in columns) else table.tobytes()


def copy_rows(connection: Connection, table: str, parts: Iterable[tuple[list[Column], int]]) -> None:
    """COPY each part's rows into `table` in one statement; the parts have the same columns.

    Raises:
        psycopg.errors.UniqueViolation: and whatever else COPY raises.
    """
    iterator = iter(parts)
    first = next(iterator, None)
    if first is None:
        return
    cursor = connection.connection.cursor()
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in first[0])
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), names)
    with cursor.copy(statement) as copy:
        held = SIGNATURE + encode_rows(*first)
        for columns, rows in iterator:
            copy.write(held)
            held = encode_rows(columns, rows)
        copy.write(held)
        crashpoints.reach("worker.pgcopy.copy_rows:middle")
        copy.write(TRAILER)


def read_rows(connection: Connection, query: sql.Composable, sizes: dict[str, int]) -> npt.NDArray[Any]:
    """The rows of a query whose columns are integers without nulls; `sizes`: width in bytes by column.

    Raises:
        ValueError: a column is null or has another width.
    """
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, size in sizes.items():
        layout += [(f"length of {name}", ">i4"), (name, f">i{size}")]
    cursor = connection.connection.cursor()
    with cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)) as copy:
        body = b"".join(copy)[len(SIGNATURE) : -len(TRAILER)]
    return np.frombuffer(body, dtype=layout)


class _Int8ArrayDumper(Dumper):
    """Sends a numpy array of integers as bigint[], without a Python object per element."""

    format = Format.BINARY
    oid = INT8_ARRAY_OID

    def dump(self, obj: npt.NDArray[Any]) -> Buffer:
        """The array in PostgreSQL's binary format: dimensions, flags, type, length, lower bound, elements."""
        elements = np.empty(len(obj), dtype=[("length", ">i4"), ("value", ">i8")])
        elements["length"] = 8
        elements["value"] = obj
        header = np.array([1, 0, INT8_OID, len(obj), 1], dtype=">i4")
        return header.tobytes() + elements.tobytes()


psycopg.adapters.register_dumper(np.ndarray, _Int8ArrayDumper)


def _kind(column: Column) -> str:
    return f"S{column.size}" if isinstance(column.values, bytes) else f">i{column.size}"


def _without_nulls(table: npt.NDArray[Any], columns: list[Column]) -> bytes:
    raw = table.view(np.uint8).reshape(len(table), table.dtype.itemsize)
    kept = np.ones(raw.shape, dtype=bool)
    for column in columns:
        if column.null is not None:
            table[f"length of {column.name}"][column.null] = -1
            start = table.dtype.fields[column.name][1]  # type: ignore[index]
            kept[column.null, start : start + column.size] = False
    return raw[kept].tobytes()
