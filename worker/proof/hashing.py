"""Files that are hashed while they are read."""

import hashlib
from collections.abc import Iterator
from typing import IO, Final

from worker.proof.findings import Finding

_BLOCK_BYTES: Final = 262_144


class Hashed:
    """A file whose bytes are hashed on their way; more than `expected` bytes of it are not read."""

    def __init__(self, file: IO[bytes], expected: int) -> None:
        self._file = file
        self._expected = expected
        self._hash = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Of what was read, in hexadecimal."""
        return self._hash.hexdigest()

    def readline(self, limit: int) -> bytes:
        """The next line, or the first `limit` bytes of it.

        Raises:
            Finding: the file is longer than it should be.
        """
        return self._seen(self._file.readline(limit))

    def blocks(self) -> Iterator[bytes]:
        """The rest of the file.

        Raises:
            Finding: the file is longer than it should be.
        """
        while block := self._seen(self._file.read(_BLOCK_BYTES)):
            yield block

    def _seen(self, data: bytes) -> bytes:
        self._hash.update(data)
        self.bytes += len(data)
        if self.bytes > self._expected:
            raise Finding(f"A file is longer than the {self._expected:,} bytes that were signed.")
        return data
