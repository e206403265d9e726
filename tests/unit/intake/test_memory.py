"""Reading needs a few megabytes, whatever the input is."""

import tracemalloc
from collections.abc import Iterator

import pytest

from worker.intake import Limits, detect, read_groups, references

MEGABYTE = 1_048_576


def long_input(unit: bytes, megabytes: int) -> Iterator[bytes]:
    yield b"device_id,note\n"
    for _ in range(megabytes * MEGABYTE // len(unit)):
        yield unit


@pytest.mark.parametrize(
    ("unit", "megabytes", "peak_megabytes"),
    [
        (b"AB-123456,some note\n" * 6000, 3, 5),
        (b"AB-1," + b"x" * 1_000_000 + b"\n", 24, 11),
        (b'AB-1,"' + b"some more\r\n" * 8_000 + b'"\n', 2, 5),
        (b"AB-1" + b"," * 995 + b"\n", 16, 13),
    ],
)
def test_memory_does_not_grow_with_the_input(unit: bytes, megabytes: int, peak_megabytes: int) -> None:
    tracemalloc.start()
    try:
        dialect = detect(lambda: long_input(unit, megabytes), "csv", Limits())
        groups = read_groups(long_input(unit, megabytes), dialect, Limits())
        rows = sum(len(references(dialect, group).kinds) for group in groups)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows > 10
    assert peak < peak_megabytes * MEGABYTE
