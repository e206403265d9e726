"""Bytes into physical lines."""

import pytest

from tests.unit.intake.reading import blocks_of, dialect_of, groups_of
from worker.intake import Checkpoint, InputRejected, Limits, read_groups
from worker.intake.lines import PhysicalLines


def lines_of(data: bytes, block: int) -> list[str]:
    lines = PhysicalLines(blocks_of(data, block), "utf-8", 1_000_000, 1)
    taken = []
    while more := lines.take(7):
        taken += more
    return taken


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_only_cr_and_lf_end_a_line(block: int) -> None:
    text = "a\rb\nc\r\nd\n\re\r\r\nf\x0bg\x0ch\x1ci\x85j\u2028k\r"
    expected = ["a\r", "b\n", "c\r\n", "d\n", "\r", "e\r", "\r\n", "f\x0bg\x0ch\x1ci\x85j\u2028k\r"]
    assert lines_of(text.encode(), block) == expected


def test_one_large_block_is_read_in_pieces() -> None:
    data = b"device_id\n" + b"AB-1\r\n" * 100_000
    assert groups_of(data, block=len(data)) == groups_of(data, block=4096)


def test_the_first_bad_line_is_named_whatever_comes_after_it() -> None:
    data = b"device_id\n" + b"A\n" * 3 + b"x" * 70_000 + b"\n" + b"y" * 300_000 + b"\n\x81"
    dialect = dialect_of(b"device_id\n")
    for block in (100, 4096, len(data)):
        groups = read_groups(blocks_of(data, block), dialect, Limits(record_chars=65_000))
        assert len(next(groups).records) == 3
        with pytest.raises(InputRejected) as rejected:
            next(groups)
        assert (rejected.value.problem_type, rejected.value.line) == ("record-too-large", 5)


def test_input_that_has_changed_since_its_detection_is_rejected() -> None:
    dialect = dialect_of("device_id,ü\nA\n".encode())
    with pytest.raises(InputRejected, match="Windows-1252"):
        list(read_groups(iter([b"A\n\xff\xff\n"]), dialect, Limits(), Checkpoint(1, 0, 2)))
