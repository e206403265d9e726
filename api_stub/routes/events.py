"""Watching a batch by server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic_core import to_json

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.openapi import refuses, streams
from worker import batches
from worker.errors import NotFound
from worker.states import RUNNING

router = APIRouter(prefix="/v1/claim-batches/{batch_id}", tags=["batches"])

LOOK_SECONDS: Final = 0.3
EXAMPLE: Final = 'event: progress\ndata: {"id":"bat_5n2kq7vhx3mfa6wr4tcy","state":"applying"}\n\n'


class Watch:
    """A batch that is looked at again and again; the first look refuses what cannot be seen."""

    def __init__(self, request: Request, runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> None:
        """Look for the first time.

        Raises:
            NotFound: the token may see no such batch.
        """
        self._what = (runtime, principal, batch_id)
        self._stopping = request.app.state.stopping
        self.batch = self._look()

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        """The batch whenever it changed, until it rests or the server stops."""
        yield self.batch
        while self.is_running and not await self._stops():
            seen, self.batch = self.batch, await anyio.to_thread.run_sync(self._look)
            if self.batch != seen:
                yield self.batch

    @property
    def is_running(self) -> bool:
        """Whether a worker still has something to do."""
        return self.batch["state"] in RUNNING

    def _look(self) -> dict[str, Any]:
        return batches.get_batch(*self._what)

    async def _stops(self) -> bool:
        with anyio.move_on_after(LOOK_SECONDS):
            await self._stopping.wait()
            return True
        return False


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={**streams("text/event-stream", EXAMPLE), **refuses(NotFound)},
)
async def watch_batch(watch: Annotated[Watch, Depends()]) -> AsyncIterator[ServerSentEvent]:
    """`progress` whenever the batch changed, then one `end`; the data is the batch."""
    async for batch in watch.changes():
        event = "progress" if watch.is_running else "end"
        yield ServerSentEvent(event=event, raw_data=to_json(batch).decode())
