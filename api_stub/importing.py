"""Taking in an inventory file."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Final

import anyio.to_thread

from api_stub.body.content import Body, Digest
from api_stub.body.pieces import pour
from api_stub.idempotent import Holding, answer_of
from worker import inventory
from worker.accounts.idempotency import Answer, Reservation
from worker.runtime import Runtime

READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Import:
    """One request for an import."""

    runtime: Runtime
    body: Body

    async def digest(self) -> str:
        """The SHA-256 of the file, which is not kept."""
        return await self.body.digest(self.runtime.settings)

    async def perform(self, reservation: Reservation | None) -> Answer:
        """The answer to a file that was imported."""
        # A slow sender would otherwise keep a transaction open; the file has no name and ends with this block.
        with tempfile.TemporaryFile() as file:
            spool = _Spool(file)
            await pour(self.body.pieces, Holding(spool, reservation), self.runtime.settings.upload_lease)
            return await anyio.to_thread.run_sync(self._import, spool, reservation)

    def _import(self, spool: "_Spool", reservation: Reservation | None) -> Answer:
        answer = answer_of(200, asdict(inventory.import_inventory(self.runtime, spool.read())))
        if reservation is not None:
            # A crash before this is harmless: the same file again changes nothing.
            with self.runtime.transaction() as connection:
                reservation.store(connection, spool.sha256, answer)
        return answer


class _Spool(Digest):
    """A sink that keeps the bytes in a file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def add(self, data: bytes) -> None:
        super().add(data)
        self._file.write(data)

    def read(self) -> Iterator[bytes]:
        self._file.seek(0)
        while data := self._file.read(READ_BYTES):
            yield data
