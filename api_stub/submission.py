"""Taking in a batch: its options are checked, its body streams into an upload, both become a batch."""

from dataclasses import dataclass, replace
from typing import Any

import anyio.to_thread
from sqlalchemy import Connection

from api_stub.body.content import Body
from api_stub.body.pieces import pour
from api_stub.idempotent import Call, Holding, accepted
from worker import batches
from worker.accounts.idempotency import Answer, Reservation
from worker.batches import SubmitOptions, Upload

# A body of so few bytes, less than a block of an upload, is stored together with its batch, when all is checked anyway.
AT_ONCE = 64 * 1024


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
        if self.body.announced is None or self.body.announced > AT_ONCE:
            await anyio.to_thread.run_sync(self._check)
        upload = batches.begin_upload(self.call.runtime)
        try:
            await pour(self.body.pieces, Holding(upload, reservation), self.call.runtime.settings.upload_lease)
            return await anyio.to_thread.run_sync(self._submit, upload, reservation)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(upload.abandon)
            raise

    def _check(self) -> None:
        batches.check_submission(self.call.runtime, self.call.principal, self.project_id, self.options)

    def _submit(self, upload: Upload, reservation: Reservation | None) -> Answer:
        def remember(connection: Connection, document: dict[str, Any]) -> None:
            if reservation is not None:
                reservation.store(connection, upload.sha256, accepted(document))

        call, options = self.call, replace(self.options, file_name=self.body.file_name)
        document = batches.submit(call.runtime, call.principal, self.project_id, options, upload, remember)
        return accepted(document)
