"""Taking in a batch: its options are checked, its body streams into an upload, both become a batch."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import anyio.to_thread
from sqlalchemy import Connection

from api_stub.body.content import Body
from api_stub.body.pieces import POURS_PER_LEASE, pour
from api_stub.idempotent import Call, answer_of
from worker import batches
from worker.accounts.idempotency import Answer, Reservation
from worker.batches import SubmitOptions, Upload


@dataclass(frozen=True)
class Submission:
    """One request for a batch."""

    call: Call
    project_id: str
    options: SubmitOptions
    body: Body

    async def digest(self) -> str:
        """The SHA-256 of the body, which is not kept."""
        return await self.body.digest(self.call.runtime.settings)

    async def perform(self, reservation: Reservation | None) -> Answer:
        """The answer to a request that was accepted."""
        await anyio.to_thread.run_sync(self._check)
        upload = batches.begin_upload(self.call.runtime)
        try:
            return await self._receive(
                _Store(upload, reservation, self.call.runtime.settings.upload_lease.total_seconds())
            )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(upload.abandon)
            raise

    def _check(self) -> None:
        batches.check_submission(self.call.runtime, self.call.principal, self.project_id, self.options)

    async def _receive(self, store: "_Store") -> Answer:
        await pour(self.body.pieces, store, self.call.runtime.settings.upload_lease)
        return await anyio.to_thread.run_sync(self._submit, store)

    def _submit(self, store: "_Store") -> Answer:
        options = replace(self.options, file_name=self.body.file_name)
        call = self.call
        document = batches.submit(call.runtime, call.principal, self.project_id, options, store.upload, store.remember)
        return _accepted(document)


@dataclass
class _Store:
    """A sink that keeps the bytes, and the key that they came under."""

    upload: Upload
    reservation: Reservation | None
    lease_seconds: float
    _extended_at: float = field(default_factory=time.monotonic)

    def add(self, data: bytes) -> None:
        self.upload.add(data)
        now = time.monotonic()
        if self.reservation is not None and now - self._extended_at > self.lease_seconds / POURS_PER_LEASE:
            self.reservation.extend()
            self._extended_at = now

    def remember(self, connection: Connection, document: dict[str, Any]) -> None:
        """Keep the answer together with the batch, so that a crash loses both or none."""
        if self.reservation is not None:
            self.reservation.store(connection, self.upload.sha256, _accepted(document))


def _accepted(document: dict[str, Any]) -> Answer:
    return answer_of(202, document, Location=f"/v1/claim-batches/{document['id']}")
