"""What passes from resolve to apply to finish, packed: arrays as bytes, deleted when the batch ends."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

_STORE_PART = text("insert into resolution (batch_key, part, data) values (:batch, :part, :data)")
_PARTS = text("select count(*) from resolution where batch_key = :batch")
_PART = text("select data from resolution where batch_key = :batch and part = :part")
_STORE_CHUNK = text("""
    insert into chunk (batch_key, number, work_number, size, input)
    values (:batch, :number, :work_number, :size, :input)""")
_CHUNKS = text("""
    select number, size, input from chunk where batch_key = :batch and work_number = :work_number order by number""")
_STORE_VERDICTS = text("update chunk set output = :output where batch_key = :batch and number = :number")
_VERDICTS = text("""
    select number, input, output from chunk where batch_key = :batch and output is not null and number > :after
    order by number limit 1""")
_FORGET = (
    text("delete from resolution where batch_key = :batch"),
    text("delete from chunk where batch_key = :batch"),
)


class Chunk(NamedTuple):
    """One range of device keys."""

    number: int
    size: int
    input: bytes


def store_parts(connection: Connection, batch: int, parts: Iterable[bytes]) -> None:
    """Keep the entries that resolve found, part by part."""
    for number, data in enumerate(parts):
        connection.execute(_STORE_PART, {"batch": batch, "part": number, "data": data})


def read_parts(connection: Connection, batch: int) -> Iterator[bytes]:
    """The parts in their order, one in memory at a time."""
    for number in range(connection.execute(_PARTS, {"batch": batch}).scalar_one()):
        yield connection.execute(_PART, {"batch": batch, "part": number}).scalar_one()


def store_chunk(connection: Connection, batch: int, chunk: Chunk, work_number: int) -> None:
    """Keep one chunk for the apply item `work_number`."""
    values = {"batch": batch, "work_number": work_number, **chunk._asdict()}
    connection.execute(_STORE_CHUNK, values)


def read_chunks(connection: Connection, batch: int, work_number: int) -> list[Chunk]:
    """The chunks of one apply item by ascending device key."""
    rows = connection.execute(_CHUNKS, {"batch": batch, "work_number": work_number})
    return [Chunk(*row) for row in rows]


def store_verdicts(connection: Connection, batch: int, number: int, output: bytes) -> None:
    """Keep what apply decided for one chunk."""
    connection.execute(_STORE_VERDICTS, {"batch": batch, "number": number, "output": output})


def read_verdicts(connection: Connection, batch: int) -> Iterator[tuple[bytes, bytes]]:
    """(input, output) of every chunk that was decided, one in memory at a time."""
    after = -1
    while (row := connection.execute(_VERDICTS, {"batch": batch, "after": after}).one_or_none()) is not None:
        after = row.number
        yield row.input, row.output


def forget_packed(connection: Connection, batch: int) -> None:
    """Delete the parts and chunks of a batch."""
    for statement in _FORGET:
        connection.execute(statement, {"batch": batch})
