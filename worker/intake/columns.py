"""Names of columns: which are known, and how the others are told apart."""

from collections.abc import Iterable, Sequence
from typing import Final

from worker.intake.text import clean

KNOWN: Final = ("device_id", "kit_id", "serial_number", "claim_code", "identifier")
ACTIVATE_ON: Final = "activate_on"  # known as well, but it names no device
REPORT_COLUMNS: Final = ("row", "line", "outcome", "device_id", "detail", "hint")


def bare(name: str) -> str:
    """A name as it is compared: lower-case letters and digits only."""
    return "".join(filter(str.isalnum, name.lower()))


_BARE: Final = {bare(name): name for name in KNOWN}


def known_name(name: str) -> str | None:
    """The known column that is meant by `name`."""
    return _BARE.get(bare(name))


def known_names(names: Iterable[str]) -> list[str]:
    """The known columns among `names`, repeated if they are repeated there."""
    return [known for name in names if (known := known_name(name))]


def roles_of(names: Sequence[str]) -> dict[str, int]:
    """Where each known column is."""
    return {known: index for index, name in enumerate(names) if (known := known_name(name))}


def columns_called(name: str, names: Sequence[str]) -> list[int]:
    """Where the columns are that mean `name`."""
    return [index for index, each in enumerate(names) if bare(each) == bare(name)]


def without_trailing_empty(cells: Sequence[str]) -> list[str]:
    """The cells up to the last one that is filled."""
    length = len(cells)
    while length and not clean(cells[length - 1]):
        length -= 1
    return list(cells[:length])


def report_start(header: Sequence[str]) -> int | None:
    """Where the six columns of a report begin, if the header ends in them and has others before them."""
    names = [clean(cell) for cell in without_trailing_empty(header)]
    start = len(names) - len(REPORT_COLUMNS)
    return start if start > 0 and tuple(names[start:]) == REPORT_COLUMNS else None


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The cells of a header as names: `name_2` for a repeated one, `column_3` for an empty one."""
    # The database stores no NUL, so a name has none.
    typed = [clean(cell.replace("\x00", "")) for cell in cells]
    taken = set(typed)
    seen: set[str] = set()
    names = []
    for position, name in enumerate(typed, start=1):
        wanted = name or f"column_{position}"
        fits = name and name not in seen
        unique = wanted if fits else _free(wanted, taken, repeated=bool(name))
        seen.add(unique)
        taken.add(unique)
        names.append(unique)
    return tuple(names)


def _free(name: str, taken: set[str], *, repeated: bool) -> str:
    if not repeated and name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
