"""Lines of the CSV report: made for a million rows, so what is the same for many of them is made once."""

from collections.abc import Sequence

from worker.intake import Dialect, Group, escape_formula, references
from worker.queries.results import BY_IDENTIFIER, OUTCOME_MASK, REASON_MASK, REASON_SHIFT, Special, Window
from worker.reports.csv_cells import LINE_END, cell, identifier_cells, users_cells
from worker.reports.source import Piece, indexes_of, picked
from worker.reports.wording import Particulars, detail, hint
from worker.states import Outcome, Reason


class Table:
    """Results as lines of one report."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._delimiter = dialect.delimiter
        self._told: dict[int, tuple[str, str]] = {}

    def lines(self, window: Window, piece: Piece) -> str:
        """The lines of those results of `window` that are in `piece`."""
        rows, mark = window.rows[piece.start : piece.stop], self._delimiter
        indexes = indexes_of(piece.group, rows)
        typed = picked(users_cells(self._dialect, piece.group), indexes)
        starts = picked(self._starts(piece.group), indexes)
        results = zip(typed, rows, starts, *self._outcomes(window, piece, indexes), strict=True)
        return "".join(
            [
                f"{cells}{mark}{row}{mark}{line}{before}{device}{behind}"
                for cells, row, line, device, (before, behind) in results
            ]
        )

    def _outcomes(
        self, window: Window, piece: Piece, indexes: Sequence[int]
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """The device of each result, and what stands before and behind it."""
        codes = window.codes[piece.start : piece.stop]
        devices, told = self._own_devices(piece.group, indexes, codes), self._wording(codes)
        if shown := window.shown_between(piece.start, piece.stop):
            devices = [shown_id or device for shown_id, device in zip(identifier_cells(shown), devices, strict=True)]
        for place, special in window.specials_between(piece.start, piece.stop):
            at = place - piece.start
            if special.device_id is not None:
                devices[at] = escape_formula(special.device_id)
            if special.duplicate_of_row is not None or special.holder is not None:
                told[at] = self._word(codes[at], special)
        return devices, told

    def _starts(self, group: Group) -> Sequence[int | str]:
        """The line where each record starts; JSON has none."""
        return group.lines if self._dialect.source == "csv" else [""] * len(group.records)

    def _own_devices(self, group: Group, indexes: Sequence[int], codes: list[int]) -> list[str]:
        """The device of each row that named it by its identifier; of others an empty cell."""
        named_so = {code & BY_IDENTIFIER for code in set(codes)}
        if named_so == {0}:
            return [""] * len(codes)
        named = picked(identifier_cells(references(self._dialect, group).identifiers), indexes)
        if 0 not in named_so:
            return list(named)
        return [name if code & BY_IDENTIFIER else "" for name, code in zip(named, codes, strict=True)]

    def _wording(self, codes: list[int]) -> list[tuple[str, str]]:
        for code in set(codes) - self._told.keys():
            self._told[code] = self._word(code, None)
        return list(map(self._told.__getitem__, codes))

    def _word(self, code: int, special: Special | None) -> tuple[str, str]:
        outcome, number = Outcome.of(code & OUTCOME_MASK), (code & REASON_MASK) >> REASON_SHIFT
        reason = Reason.of(number) if number else None
        told = Particulars(special.duplicate_of_row, special.kit_id, special.holder) if special else Particulars()
        mark = self._delimiter
        texts = (detail(outcome, reason, told), hint(outcome, reason) or "")
        return f"{mark}{outcome}{mark}", "".join(f"{mark}{cell(text, mark)}" for text in texts) + LINE_END
