"""The files of a report in a bundle or a folder, which may come from anyone: read in pieces, never unpacked."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from worker.proof.documents import RESULTS, TABLE
from worker.proof.findings import Finding

MANIFEST: Final = "manifest.json"
MANIFEST_BYTES: Final = 262_144
_BUNDLED: Final = frozenset({MANIFEST, RESULTS, TABLE})
_FOLDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 1
# How a ZIP file ends: the mark of a larger directory, if there is one, and the directory's place and size.
_ZIP64: Final = b"PK\x06\x07"
_ENDING: Final = struct.Struct("<4s4H2LH")
_ENDING_MARK: Final = b"PK\x05\x06"
_LOCATOR_BYTES: Final = 20
_DIRECTORY_BYTES: Final = 65_536
# What unpacking damaged or hostile data can raise.
DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class Files(Protocol):
    """Where the files of one report are."""

    def manifest(self) -> bytes:
        """The manifest as it stands there."""

    def open(self, name: str, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """One of the other files."""


@contextmanager
def open_report(path: Path) -> Iterator[Files]:
    """The report in a bundle, or around a manifest.

    Raises:
        OSError: the file cannot be read.
        Finding: it is neither.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            yield _Folder(path)
            return
        _check_ending(file)
        try:
            with zipfile.ZipFile(file) as archive:
                yield _Bundle(archive)
        except DAMAGED as error:
            raise Finding(f"The ZIP file is damaged: {error}.") from error


class _Bundle:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        names = archive.namelist()
        if len(set(names)) < len(names):
            raise Finding("The bundle holds two files of the same name.")
        if not set(names) <= _BUNDLED:
            raise Finding("The bundle holds a file that belongs to no report.")

    def manifest(self) -> bytes:
        with self.open(MANIFEST, "") as file:
            return _read_manifest(file)

    @contextmanager
    def open(self, name: str, batch_id: str) -> Iterator[IO[bytes]]:
        del batch_id
        try:
            entry = self._archive.getinfo(name)
        except KeyError:
            raise Finding(f"{name} is missing from the bundle.") from None
        if entry.compress_type not in _FOLDED or entry.flag_bits & _ENCRYPTED:
            raise Finding(f"{name} is packed in a way that claimd never uses.")
        with self._archive.open(entry) as file:
            yield file


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def manifest(self) -> bytes:
        with self._path.open("rb") as file:
            return _read_manifest(file)

    @contextmanager
    def open(self, name: str, batch_id: str) -> Iterator[IO[bytes]]:
        folder = self._path.parent
        # What the manifest says of itself leads to no other folder.
        own_name = f"{batch_id}-{name}" if batch_id.replace("_", "").isalnum() else name
        found = next((path for path in (folder / name, folder / own_name) if path.is_file()), None)
        if found is None:
            raise Finding(f"{name} is missing: it has to be in the folder of the manifest.")
        with found.open("rb") as file:
            yield file


def _read_manifest(file: IO[bytes]) -> bytes:
    content = file.read(MANIFEST_BYTES + 1)
    if len(content) > MANIFEST_BYTES:
        raise Finding("This is no report of claimd: its manifest is larger than any.")
    return content


def _check_ending(file: IO[bytes]) -> None:
    """Refuse a directory that could fill the memory before anything of it has been looked at."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _ENDING.size - _LOCATOR_BYTES))
    tail = file.read(_LOCATOR_BYTES + _ENDING.size)
    if len(tail) < _ENDING.size or not tail[-_ENDING.size :].startswith(_ENDING_MARK):
        raise Finding("The ZIP file is damaged or cut off: it does not end as one.")
    *_, directory_bytes, _, _ = _ENDING.unpack(tail[-_ENDING.size :])
    if directory_bytes > _DIRECTORY_BYTES or tail.startswith(_ZIP64):
        raise Finding("This is no report of claimd: its directory is larger than any.")
