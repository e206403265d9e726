"""Records as they are given back: as typed, but never with a claim code in them."""

from worker.intake.dialect import Dialect
from worker.intake.identifiers import MASK
from worker.intake.json_source import OWN_COLUMNS
from worker.intake.payloads import mask_codes


def masked_cells(dialect: Dialect, record: list[str]) -> list[str]:
    """`record` with its claim codes masked, wherever they are; at least one cell for each column."""
    cells = list(map(mask_codes, record))
    cells += [""] * (len(dialect.names) - len(cells))
    column = dialect.roles.get("claim_code")
    return cells if column is None else _masked_column(cells, column)


def masked_records(dialect: Dialect, records: list[list[str]]) -> list[list[str]]:
    """The same for many records, quickly where there is nothing to mask."""
    simple = min(map(len, records), default=0) >= len(dialect.names) and not _any_parameter(records)
    if not simple:
        return [masked_cells(dialect, record) for record in records]
    column = dialect.roles.get("claim_code")
    return records if column is None else [_masked_column(record, column) for record in records]


def _masked_column(record: list[str], column: int) -> list[str]:
    cells = record.copy()
    if cells[column].strip():
        cells[column] = MASK
    return cells


def _any_parameter(records: list[list[str]]) -> bool:
    text = "\n".join(map("\n".join, records))
    return "=" in text or "%3" in text


def input_of(dialect: Dialect, record: list[str]) -> dict[str, str]:
    """`{column: value}` as typed, codes masked; filled cells beyond the header are `column_N`."""
    cells = masked_cells(dialect, record)
    if dialect.source == "json":
        own = OWN_COLUMNS[len(record)]
        return dict(zip(dialect.names[own], cells[own], strict=True))
    named = dict(zip(dialect.names, cells, strict=False))
    for position, cell in enumerate(cells[len(named) :], start=len(named) + 1):
        if cell.strip():
            named[_free_name(f"column_{position}", named)] = cell
    return named


def _free_name(name: str, named: dict[str, str]) -> str:
    while name in named:
        name += "_2"
    return name
