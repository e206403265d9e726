"""Records as they are given back: as typed, but never with a claim code in them."""

from worker.intake.dialect import Dialect
from worker.intake.identifiers import MASK
from worker.intake.payloads import mask_codes


def masked_cells(dialect: Dialect, record: list[str]) -> list[str]:
    """`record` with its claim codes masked, wherever they are; at least one cell for each column."""
    cells = list(map(mask_codes, record))
    cells += [""] * (len(dialect.names) - len(cells))
    column = dialect.roles.get("claim_code")
    if column is not None and cells[column].strip():
        cells[column] = MASK
    return cells


def masked_records(dialect: Dialect, records: list[list[str]]) -> list[list[str]]:
    """The same for many records, quickly where there is nothing to mask."""
    if "claim_code" in dialect.roles:
        return [masked_cells(dialect, record) for record in records]
    width = len(dialect.names)
    if min(map(len, records), default=0) >= width and not _any_parameter(records):
        return records
    return [masked_cells(dialect, record) for record in records]


def _any_parameter(records: list[list[str]]) -> bool:
    text = "\n".join(map("\n".join, records))
    return "=" in text or "%3" in text


def input_of(dialect: Dialect, record: list[str]) -> dict[str, str]:
    """`{column: value}` as typed, codes masked; filled cells beyond the header are `column_N`."""
    cells = masked_cells(dialect, record)
    if dialect.source == "json":
        filled = len(record)
        typed = dict(zip(dialect.names, cells[:filled], strict=False))
        return {name: cell for name, cell in typed.items() if cell or name == dialect.names[filled - 1]}
    named = dict(zip(dialect.names, cells, strict=False))
    for position, cell in enumerate(cells[len(named) :], start=len(named) + 1):
        if cell.strip():
            named[_free_name(f"column_{position}", named)] = cell
    return named


def _free_name(name: str, named: dict[str, str]) -> str:
    while name in named:
        name += "_2"
    return name
