"""Lines of the CSV report: made for a million rows, so what is the same for many of them is made once."""

from worker.intake import Dialect, Group, references
from worker.queries.results import OUTCOME_MASK, OWN_IDENTIFIER, REASON_SHIFT, Special, Window
from worker.reports.csv_cells import LINE_END, cell, safe_cells, users_cells
from worker.reports.source import Piece
from worker.reports.wording import Particulars, detail, hint
from worker.states import Outcome, Reason


class Table:
    """Results as lines of one report."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._delimiter = dialect.delimiter
        self._told: dict[int, tuple[str, str]] = {}

    def render(self, window: Window, piece: Piece) -> str:
        """The lines of those results of `window` that are in `piece`."""
        group, codes = piece.group, window.codes[piece.start : piece.stop]
        indexes = [row - group.first_row for row in window.rows[piece.start : piece.stop]]
        devices = self._own_identifiers(group, indexes, codes)
        told = [self._told.get(code) or self._tell(code) for code in codes]
        for place in range(piece.start, piece.stop) if window.specials else ():
            if special := window.specials.get(place):
                at = place - piece.start
                told[at] = self._word(codes[at], special)
                devices[at] = cell(special.device_id, self._delimiter) if special.device_id else devices[at]
        heads = self._heads(group)
        lines = zip(indexes, devices, told, strict=True)
        return "".join([f"{heads[at]}{before}{device}{behind}" for at, device, (before, behind) in lines])

    def _heads(self, group: Group) -> list[str]:
        """For each record the user's cells, its row and its line."""
        mark, cells = self._delimiter, users_cells(self._dialect, group)
        rows = range(group.first_row, group.first_row + len(cells))
        if self._dialect.source == "json":
            return [f"{typed}{mark}{row}{mark}" for typed, row in zip(cells, rows, strict=True)]
        numbered = zip(cells, rows, group.lines, strict=True)
        return [f"{typed}{mark}{row}{mark}{line}" for typed, row, line in numbered]

    def _own_identifiers(self, group: Group, indexes: list[int], codes: list[int]) -> list[str]:
        """The device of each row that named it by its identifier; of others an empty cell."""
        if not any(code & OWN_IDENTIFIER for code in set(codes)):
            return [""] * len(codes)
        named = safe_cells(references(self._dialect, group).identifiers)
        return [named[at] if code & OWN_IDENTIFIER else "" for at, code in zip(indexes, codes, strict=True)]

    def _tell(self, code: int) -> tuple[str, str]:
        self._told[code] = self._word(code, None)
        return self._told[code]

    def _word(self, code: int, special: Special | None) -> tuple[str, str]:
        """What stands before and behind the device."""
        outcome = Outcome.of(code & OUTCOME_MASK)
        number = (code & ~OWN_IDENTIFIER) >> REASON_SHIFT
        reason = Reason.of(number) if number else None
        told = Particulars(special.duplicate_of_row, special.kit_id, special.holder) if special else Particulars()
        mark = self._delimiter
        texts = (detail(outcome, reason, told), hint(outcome, reason) or "")
        return f"{mark}{outcome}{mark}", "".join(f"{mark}{cell(text, mark)}" for text in texts) + LINE_END
