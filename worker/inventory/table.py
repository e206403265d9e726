"""An inventory file as columns: any encoding and delimiter that intake knows."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from worker.intake import Dialect, Group, InputRejected, Limits, detect, read_groups
from worker.intake.columns import bare
from worker.inventory.conflicts import refuse_file

COLUMNS: Final = (
    "device_id",
    "device_type",
    "product_number",
    "kit_id",
    "kit_name",
    "serial_number",
    "claim_code",
    "prepaid_months",
)
REQUIRED: Final = "device_id"
BLOCK_BYTES: Final = 1_048_576
# The size of a file is what its receiver limits, not the number of its lines.
LIMITS: Final = Limits(rows=2**31 - 1)
_BARE: Final = {bare(name): name for name in COLUMNS}


@dataclass(frozen=True)
class Part:
    """Up to a thousand lines: the cells of each known column, and those that no column is for."""

    lines: Sequence[int]
    cells: dict[str, Sequence[str]]
    extra: dict[int, str]  # by index: a filled cell under no name


@contextmanager
def spooled(source: Iterable[bytes]) -> Iterator[IO[bytes]]:
    """The whole of `source` on disk, so that a slow sender holds nothing but a file."""
    with tempfile.TemporaryFile() as file:
        for block in source:
            file.write(block)
        yield file


def read_parts(file: IO[bytes]) -> Iterator[Part]:
    """The lines of the file, part by part.

    Raises:
        ImportConflicts: it is no such CSV file.
    """
    try:
        dialect = detect(lambda: _blocks(file), "csv", LIMITS)
        names = _names(dialect)
        for group in read_groups(_blocks(file), dialect, LIMITS):
            yield _part(group, names)
    except InputRejected as rejected:
        detail = "There are no devices in it." if rejected.problem_type == "empty" else rejected.detail
        raise refuse_file(rejected.line or 1, detail) from rejected


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block


def _names(dialect: Dialect) -> list[str | None]:
    """What each column is; None for one without a name, which has to be empty."""
    line = max(1, dialect.start.line - 1)
    if dialect.headerless or dialect.from_report:
        raise refuse_file(line, f"The first line has to name the columns: {', '.join(COLUMNS)}.")
    names = [_BARE.get(bare(name)) for name in dialect.names]
    unknown = [name for name, known in zip(dialect.names, names, strict=True) if not (known or _unnamed(name))]
    if unknown:
        given = ", ".join(repr(name[:40]) for name in unknown[:8])
        raise refuse_file(line, f"Unknown columns: {given}; known are {', '.join(COLUMNS)}.")
    if REQUIRED not in names:
        raise refuse_file(line, f"The column {REQUIRED} is missing.")
    return names


def _unnamed(name: str) -> bool:
    """Whether intake made the name up, as it does for the empty cells at the end of a header."""
    return name.startswith("column_") and name.removeprefix("column_").isdigit()


def _part(group: Group, names: list[str | None]) -> Part:
    width = len(names)
    records = group.records
    extra: dict[int, str] = {}
    if set(map(len, records)) != {width}:
        extra = {index: _first_filled(record[width:]) for index, record in enumerate(records)}
        records = [(record + [""] * width)[:width] for record in records]
    columns = list(zip(*records, strict=True))
    cells: dict[str, Sequence[str]] = dict.fromkeys(COLUMNS, ("",) * len(records))
    for name, column in zip(names, columns, strict=True):
        if name:
            cells[name] = column
        else:
            extra |= {index: cell for index, cell in enumerate(column) if cell.strip()}
    return Part(group.lines, cells, {index: cell for index, cell in extra.items() if cell})


def _first_filled(cells: list[str]) -> str:
    return next((cell for cell in cells if cell.strip()), "")
