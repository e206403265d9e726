"""The upload beside its report: the same bytes, and as many rows as were reported."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from worker.intake import InputRejected, Limits, Source, detect, read_groups
from worker.proof.documents import Manifest
from worker.proof.findings import Finding
from worker.proof.hashing import Hashed

# What was accepted is read again, whatever the limits were.
_LIMITS: Final = Limits(rows=2**31)


def check_original(path: Path, manifest: Manifest) -> None:
    """Hold the file at `path` against the input of the manifest.

    Raises:
        OSError: it cannot be read.
        Finding: it is another file, or has another number of rows.
    """
    with path.open("rb") as file:
        _check_bytes(file, manifest)
        if manifest.rows_total is not None:
            rows = _count_rows(file, manifest)
            if rows != manifest.rows_total:
                raise Finding(f"The original has {rows} rows, the manifest states {manifest.rows_total}.")


def _check_bytes(file: IO[bytes], manifest: Manifest) -> None:
    hashed = Hashed(file, manifest.input.bytes)
    with suppress(Finding):  # a longer file has another hash, too
        for _ in hashed.blocks():
            pass
    if hashed.sha256 != manifest.input.sha256:
        raise Finding(
            "The original is not the file that was sent: its SHA-256 is another. "
            "(A download of the input has its claim codes masked.)"
        )


def _count_rows(file: IO[bytes], manifest: Manifest) -> int:
    source: Source = "json" if manifest.input.source == "json" else "csv"

    def blocks() -> Iterator[bytes]:
        file.seek(0)
        return Hashed(file, manifest.input.bytes).blocks()

    try:
        dialect = detect(blocks, source, _LIMITS)
        return sum(len(group.records) for group in read_groups(blocks(), dialect, _LIMITS))
    except InputRejected as rejected:
        raise Finding(f"The original cannot be read: {rejected}.") from rejected
