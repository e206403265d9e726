"""An upload while it streams in: sealed blocks in short transactions, nothing kept in memory but the last one."""

import hashlib
import time

from sqlalchemy import Connection

from worker.errors import Refused
from worker.inputs import BLOCK_BYTES
from worker.queries import uploads
from worker.runtime import Runtime

RENEWALS_PER_LEASE = 4


class UploadLapsed(Refused):
    """The upload took too long and was given up."""

    status = 408
    problem_type = "upload-lapsed"


class Upload:
    """The input of a batch to be. Whoever made it must `submit` or `abandon` it."""

    def __init__(self, runtime: Runtime) -> None:
        self.size = 0
        self.lines = 1
        self.key: int | None = None
        self._runtime = runtime
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._blocks = 0
        self._stored = 0
        self._extend_at = 0.0

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in hexadecimal."""
        return self._digest.hexdigest()

    def add(self, data: bytes) -> None:
        """Take the next bytes; full blocks are stored at once.

        Raises:
            UploadLapsed: nothing came for longer than the setting `upload_lease`.
        """
        self._digest.update(data)
        self.size += len(data)
        self.lines += max(data.count(b"\n"), data.count(b"\r"))
        self._pending += data
        while len(self._pending) > BLOCK_BYTES:
            self._store(self._take(BLOCK_BYTES))
        if self.key is not None and time.monotonic() > self._extend_at:
            with self._runtime.transaction() as connection:
                self._extend(connection, self.key)

    def abandon(self) -> None:
        """Forget what was stored."""
        if self.key is not None:
            with self._runtime.transaction() as connection:
                uploads.drop_upload(connection, self.key)

    def complete(self, connection: Connection) -> int:
        """Store the last block in the caller's transaction; returns the key of the upload, now a batch's own.

        Raises:
            UploadLapsed: it was given up meanwhile.
        """
        begun = self.key is not None
        if self.key is None:
            self.key = uploads.insert_owned_upload(connection)
        self._add_block(connection, self.key, self._take(len(self._pending)))
        if begun and not uploads.own_upload(connection, self.key):
            raise UploadLapsed("Nothing was received for too long; send the file again.")
        return self.key

    def _store(self, block: bytes) -> None:
        with self._runtime.transaction() as connection:
            if self.key is None:
                self.key = uploads.begin_upload(connection, self._runtime.settings.upload_lease)
            self._extend(connection, self.key)
            self._add_block(connection, self.key, block)

    def _extend(self, connection: Connection, key: int) -> None:
        """A slow sender is no silent one: the lease is renewed although no block is full."""
        lease = self._runtime.settings.upload_lease
        if not uploads.extend_upload(connection, key, lease):
            raise UploadLapsed("Nothing was received for too long; send the file again.")
        self._extend_at = time.monotonic() + lease.total_seconds() / RENEWALS_PER_LEASE

    def _add_block(self, connection: Connection, key: int, block: bytes) -> None:
        sealed = self._runtime.keys.encrypt_block(key, self._blocks, block)
        uploads.add_block(connection, key, self._blocks, self._stored, sealed)
        self._blocks += 1
        self._stored += len(block)

    def _take(self, size: int) -> bytes:
        block = bytes(self._pending[:size])
        del self._pending[:size]
        return block


def begin_upload(runtime: Runtime) -> Upload:
    """A new upload; stores nothing yet."""
    return Upload(runtime)
