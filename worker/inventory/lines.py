"""One part of an inventory file as rows to stage, column by column, and what is wrong with its lines."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from worker.crypto import Keys
from worker.intake import normalise, normalise_code
from worker.intake.text import clean
from worker.inventory.conflicts import Conflict
from worker.inventory.table import Part
from worker.states import Reason

MAX_TEXT: Final = 200
MAX_MONTHS: Final = 120
_MONTHS: Final = frozenset(["", *map(str, range(MAX_MONTHS + 1))])
T = TypeVar("T")
_has_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search


@dataclass(frozen=True)
class Staged:
    """Rows as the text of a COPY, in the order of the staging table's columns; an empty cell is null."""

    text: str
    problems: list[Conflict]


def stage(part: Part, keys: Keys) -> Staged:
    """Check each line by itself; a line with a problem is left out."""
    reader = _PartReader(part, keys)
    columns = reader.columns()
    good = [row for at, row in enumerate(zip(*columns, strict=True)) if at not in reader.problems]
    problems = [(part.lines[at], detail) for at, detail in reader.problems.items()]
    # No cell has control characters in it, and `_texts` has escaped backslashes.
    return Staged("".join(["\t".join(row) + "\n" for row in good]), problems)


class _PartReader:
    """Notes the first problem of each line on the way from left to right."""

    def __init__(self, part: Part, keys: Keys) -> None:
        self._part = part
        self._keys = keys
        self.problems: dict[int, str] = {}

    def columns(self) -> list[Sequence[str]]:
        self._refuse(self._part.extra, "there are more cells in this line than names in the header")
        device_ids, shown_ids = self._identifiers("device_id")
        self._refuse([at for at, name in enumerate(device_ids) if not name], "device_id is empty")
        kit_ids, shown_kits = self._identifiers("kit_id")
        kit_names = self._texts("kit_name")
        alone = [at for at, name in enumerate(kit_names) if name and not kit_ids[at]]
        self._refuse(alone, "there is a kit_name without a kit_id")
        serials, shown_serials = self._identifiers("serial_number")
        return [
            list(map(str, self._part.lines)),
            device_ids,
            shown_ids,
            self._texts("device_type"),
            self._texts("product_number"),
            kit_ids,
            shown_kits,
            kit_names,
            serials,
            shown_serials,
            self._code_hashes(serials),
            self._months(),
        ]

    def _refuse(self, places: Iterable[int], detail: str) -> None:
        for at in places:
            self.problems.setdefault(at, detail)

    def _identifiers(self, name: str) -> tuple[list[str], list[str]]:
        """The column as it is compared, and as it is shown where that is something else."""
        cells = self._part.cells[name]
        found = self._usable(name, _each(normalise, cells))
        pairs = zip(cells, found, strict=True)
        return found, ["" if cell == compared else _shown(cell, compared) for cell, compared in pairs]

    def _usable(self, name: str, found: list[str | Reason]) -> list[str]:
        """Empty where there is nothing, or nothing that can be used."""
        if Reason not in set(map(type, found)):
            return found
        for at, reason in enumerate(found):
            if isinstance(reason, Reason) and reason is not Reason.EMPTY:
                self._refuse([at], f"{name} cannot be used: {reason}")
        return ["" if isinstance(value, Reason) else value for value in found]

    def _texts(self, name: str) -> list[str]:
        texts = _each(clean, self._part.cells[name])
        if max(map(len, texts)) > MAX_TEXT:
            places = [at for at, text in enumerate(texts) if len(text) > MAX_TEXT]
            self._refuse(places, f"{name} is longer than {MAX_TEXT} characters")
        if _has_control("".join(texts)):
            places = [at for at, text in enumerate(texts) if _has_control(text)]
            self._refuse(places, f"{name} has control characters in it")
        return [text.replace("\\", "\\\\") for text in texts] if "\\" in "".join(texts) else texts

    def _code_hashes(self, serials: list[str]) -> list[str]:
        codes = self._usable("claim_code", list(map(normalise_code, self._part.cells["claim_code"])))
        pairs = list(zip(serials, codes, strict=True))
        alone = [at for at, (serial, code) in enumerate(pairs) if code and not serial]
        self._refuse(alone, "there is a claim_code without a serial_number")
        hash_code = self._keys.hash_code
        return ["\\\\x" + hash_code(serial, code).hex() if code else "" for serial, code in pairs]

    def _months(self) -> list[str]:
        months = _each(clean, self._part.cells["prepaid_months"])
        if not _MONTHS.issuperset(months):
            places = [at for at, month in enumerate(months) if month not in _MONTHS]
            self._refuse(places, f"prepaid_months is not a whole number from 0 to {MAX_MONTHS}")
        return [month or "0" for month in months]


def _each(function: Callable[[str], T], cells: Sequence[str]) -> list[T]:
    """The function of each cell; most columns have few different ones."""
    values = {cell: function(cell) for cell in set(cells)}
    return [values[cell] for cell in cells]


def _shown(cell: str, compared: str) -> str:
    shown = clean(clean(cell).strip('"'))
    return "" if shown == compared else shown
