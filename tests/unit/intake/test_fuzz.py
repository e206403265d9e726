"""Whatever bytes come, they are read or rejected, and what is read keeps its promises."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.intake.reading import blocks_of, dialect_of, rows_of
from worker.intake import InputRejected, Limits, masked_cells, read_groups
from worker.states import Reason

LIMITS = Limits(rows=50, record_chars=200, columns=20)
PIECES = st.sampled_from(
    [
        *[b"device_id", b"serial_number", b"claim_code", b"identifier", b"sep=;", b",", b";", b"\t", b'"', b"'"],
        *[b"\n", b"\r", b"\r\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\x81", b" ", b"=", b"%", b"***"],
        *[b"AB-1", b"1,23E+19", b"https://e.com/?id=", b"row,line,outcome,device_id,detail,hint", b"PK\x03\x04"],
    ]
)
BYTES = st.one_of(st.lists(PIECES, max_size=40).map(b"".join), st.binary(max_size=200))


def outcome(data: bytes, block: int) -> object:
    """The rows, or the problem with which reading them ended."""
    rows = []
    try:
        dialect = dialect_of(data, limits=LIMITS)
        for group in read_groups(blocks_of(data, block), dialect, LIMITS):
            rows += rows_of(dialect, group)
            for record in group.records:
                assert len(masked_cells(dialect, record)) >= len(dialect.names)
    except InputRejected as rejected:
        return rejected.problem()
    return rows


@given(BYTES, st.integers(1, 30))
@example(b'"' * 300, 1)
@example(b"\r" * 300 + b"x", 1)
def test_any_bytes_are_read_or_rejected_alike_for_all_sizes_of_blocks(data: bytes, block: int) -> None:
    assert outcome(data, block) == outcome(data, 131_072)


@given(BYTES)
def test_every_row_has_an_identifier_or_a_reason(data: bytes) -> None:
    rows = outcome(data, 131_072)
    if isinstance(rows, list):
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert all((row.kind == "INVALID") == (row.named in set(Reason)) for row in rows)
        assert all(row.input for row in rows)
        json.dumps([row.input for row in rows], ensure_ascii=False).encode()
