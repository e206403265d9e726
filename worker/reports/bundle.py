"""A report as one file: results, table and manifest in a ZIP that is made while it is sent."""

import io
import zipfile
from collections.abc import Iterator
from typing import Final

from pydantic_core import to_json

from worker.principal import Principal
from worker.proof import MANIFEST, RESULTS, TABLE
from worker.reports.csv_report import stream_csv
from worker.reports.jsonl import stream_jsonl
from worker.reports.manifest import FileHash, Reported, open_report, sign_manifest
from worker.runtime import Runtime

# Reports repeat themselves so much that packing them harder saves little and takes as long as making them.
_LEVEL: Final = 1
_PIECE: Final = 131_072


def report_bundle(runtime: Runtime, principal: Principal, batch_id: str) -> Iterator[bytes]:
    """The bundle, piece by piece; it proves itself, see `claimd report verify`.

    Raises:
        NotFound, ResultsNotReady, ResultsPruned: as for the results, also while the bundle is read.
        WrongState: the batch failed before its results were whole.
    """
    with runtime.transaction() as connection:
        reported = open_report(connection, principal, batch_id)
    return _pieces(_packed(runtime, reported))


def _packed(runtime: Runtime, reported: Reported) -> Iterator[bytes]:
    sink = _Sink()
    results, table = FileHash(RESULTS), FileHash(TABLE)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, blocks in (
            (RESULTS, results.through(stream_jsonl(runtime, reported.batch))),
            (TABLE, table.through(stream_csv(runtime, reported.batch))),
        ):
            with archive.open(name, "w", force_zip64=True) as file:
                for block in blocks:
                    file.write(block)
                    yield sink.take()
        manifest = sign_manifest(runtime, reported, results.facts(), table.facts())
        archive.writestr(MANIFEST, to_json(manifest, indent=2) + b"\n")
    yield sink.take()


def _pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Larger pieces: each is sent for itself, and made in a thread for itself."""
    waiting = bytearray()
    for block in blocks:
        waiting += block
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


class _Sink(io.RawIOBase):
    """What the ZIP is written to: gives away what it has, and cannot go back."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._data += piece
        return len(piece)

    def take(self) -> bytes:
        """All that was written since the last time."""
        taken = bytes(self._data)
        self._data.clear()
        return taken
