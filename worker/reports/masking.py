"""Inputs with their claim codes replaced, and everything else byte for byte as it was typed."""

import io
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from typing import Any

from worker.intake import MASK, REPORT_COLUMNS, Dialect, masked_cells
from worker.intake.lines import PhysicalLines
from worker.intake.numbers import joined_numbers
from worker.intake.payloads import mask_codes
from worker.intake.records import Batch, RecordReader
from worker.reports.csv_cells import quoted_lines
from worker.reports.source import UNLIMITED


def masked_csv(blocks: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    """The records of a CSV file, masked; `blocks` begin with the first of them.

    Raises:
        InputRejected: on the way, where it cannot be read on.
    """
    lines = PhysicalLines(blocks, dialect.encoding, UNLIMITED.record_chars, dialect.start.line)
    for batch in RecordReader(lines, dialect.delimiter, UNLIMITED).batches():
        yield _masked_text(batch, dialect).encode(dialect.encoding)


def masked_json(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON body in `blocks`, masked."""
    body = b"".join(blocks)
    content = json.loads(body)
    masked = _masked_content(content)
    yield body if masked == content else json.dumps(masked, ensure_ascii=False).encode("utf-8", "replace")


def _masked_text(batch: Batch, dialect: Dialect) -> str:
    if "claim_code" not in dialect.roles and "=" not in batch.text and "%3" not in batch.text:
        return batch.text
    lines = list(io.StringIO(batch.text, newline=""))
    cuts = [*(start - batch.starts[0] for start in batch.starts), len(lines)]
    typed = ["".join(lines[start:stop]) for start, stop in pairwise(cuts)]
    return "".join(map(_masked_record, typed, batch.records, repeat(dialect)))


def _masked_record(typed: str, record: list[str], dialect: Dialect) -> str:
    width = len(dialect.names) + len(REPORT_COLUMNS) * dialect.from_report
    cells = joined_numbers(record, dialect.delimiter, width)
    masked = masked_cells(dialect, cells)[: len(cells)]
    if masked == cells:
        return typed
    line_end = typed[len(typed.rstrip("\r\n")) :]
    return quoted_lines([masked], dialect.delimiter)[0] + line_end


def _masked_content(content: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    if isinstance(content, dict):
        return {
            name: MASK if name == "claim_code" and value else _masked_content(value) for name, value in content.items()
        }
    if isinstance(content, list):
        return [_masked_content(entry) for entry in content]
    return mask_codes(content) if isinstance(content, str) else content
