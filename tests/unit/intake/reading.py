"""Reading a whole input in one call, for tests."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.intake import (
    Dialect,
    Group,
    InputRejected,
    Limits,
    RefKind,
    Source,
    detect,
    input_of,
    read_groups,
    references,
)


@dataclass(frozen=True)
class Row:
    number: int
    line: int
    kind: str
    named: str  # the identifier, or why it is invalid
    code: str | None
    input: dict[str, str]


def blocks_of(data: bytes, size: int = 131_072) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def dialect_of(data: bytes, source: Source = "csv", limits: Limits | None = None) -> Dialect:
    return detect(lambda: blocks_of(data), source, limits or Limits())


def groups_of(data: bytes, dialect: Dialect | None = None, block: int = 131_072) -> list[Group]:
    return list(read_groups(blocks_of(data, block), dialect or dialect_of(data), Limits()))


def read(data: bytes, source: Source = "csv", limits: Limits | None = None, block: int = 131_072) -> list[Row]:
    limits = limits or Limits()
    dialect = detect(lambda: blocks_of(data, block), source, limits)
    return [row for group in read_groups(blocks_of(data, block), dialect, limits) for row in rows_of(dialect, group)]


def rows_of(dialect: Dialect, group: Group) -> list[Row]:
    found = references(dialect, group)
    return [
        Row(
            group.first_row + index,
            group.lines[index],
            RefKind(found.kinds[index]).name,
            str(found.reasons.get(index, found.identifiers[index])),
            found.codes.get(index),
            input_of(dialect, record),
        )
        for index, record in enumerate(group.records)
    ]


def named(data: bytes) -> list[str]:
    """Of every row the identifier, or why it is invalid."""
    return [row.named for row in read(data)]


def rejection(data: bytes, source: Source = "csv", limits: Limits | None = None) -> InputRejected:
    """Why this input is rejected as a whole."""
    try:
        rows = read(data, source, limits)
    except InputRejected as rejected:
        return rejected
    raise AssertionError(f"not rejected, but read as {len(rows)} rows")
