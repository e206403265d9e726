"""Results, line by line: every row has its outcome, and no device comes twice."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.proof.findings import Finding
from worker.proof.hashing import Hashed
from worker.states import SUCCESSES, Outcome

# Beyond these there is no result: a record has a million characters at most, and a kit a hundred devices.
LINE_BYTES: Final = 16_777_216
DEVICES_OF_A_KIT: Final = 100
# JSON can take two hundred times its length in memory. What makes a line long is the row as it was typed,
# which is a flat object of texts and is not looked at here.
_PARSED_BYTES: Final = 262_144
_TYPED: Final = re.compile(rb'"input":\{(?:"(?:[^"\\]++|\\.)*+"[:,]?+)*+\}')


class Line(BaseModel):
    """What of a result is looked at."""

    model_config = ConfigDict(strict=True)

    row: Annotated[int, Field(ge=1, lt=2**31)]
    outcome: Annotated[Outcome, Field(strict=False)]
    device_id: str | None
    kit_id: str | None
    duplicate_of_row: int | None


class Tally:
    """What the results add up to; each is held against those before it."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.results = 0
        self.rows = 0
        self.failed_rows = 0
        self._row: list[Line] = []

    def add(self, line: Line) -> None:
        """One more result.

        Raises:
            Finding: it cannot stand here.
        """
        self.results += 1
        if line.row == self.rows:
            self._check_beside_others(line)
        elif line.row == self.rows + 1:
            self.close()
            self.rows += 1
            self._row = []
        else:
            raise Finding(f"Result {self.results} is of row {line.row}, but row {self.rows + 1} comes next.")
        self._check_duplicate(line)
        self._row.append(line)
        self.totals[line.outcome] += 1

    def close(self) -> None:
        """There is no further result of this row."""
        self.failed_rows += any(line.outcome not in SUCCESSES for line in self._row)
        self._row = []

    def _check_beside_others(self, line: Line) -> None:
        first = self._row[0]
        if line.kit_id is None or line.kit_id != first.kit_id:
            raise Finding(f"Row {line.row} has two results and names no kit.")
        if line.device_id is None or any(line.device_id == other.device_id for other in self._row):
            raise Finding(f"Row {line.row} has two results for the same device.")
        if len(self._row) >= DEVICES_OF_A_KIT:
            raise Finding(f"Row {line.row} has more devices than a kit can have.")

    def _check_duplicate(self, line: Line) -> None:
        earlier = line.duplicate_of_row
        if (line.outcome is Outcome.DUPLICATE) != (earlier is not None):
            raise Finding(f"Row {line.row} does not say which row it repeats, or repeats none.")
        if earlier is not None and not 1 <= earlier < line.row:
            raise Finding(f"Row {line.row} repeats row {earlier}, which is not before it.")


def read_lines(file: Hashed) -> Iterator[Line]:
    """The results in a file of JSON lines.

    Raises:
        Finding: a line is none.
    """
    number = 0
    while line := file.readline(LINE_BYTES):
        number += 1
        if not line.endswith(b"\n"):
            raise Finding(f"Line {number} of the results is cut off, or longer than any result.")
        yield _result(line, number)


def _result(line: bytes, number: int) -> Line:
    short = line if len(line) <= _PARSED_BYTES else _TYPED.sub(b'"input":null', line, count=1)
    if len(short) > _PARSED_BYTES:
        raise Finding(f"Line {number} of the results is longer than any result.")
    try:
        return Line.model_validate_json(short)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise Finding(f"Line {number} of the results is no result: {where}: {first['msg']}.") from error
