"""A body in the pieces in which it arrives."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Protocol

import anyio.to_thread
from fastapi import Request

from api_stub.problems import TooLarge
from worker.batches import UploadLapsed

POUR_BYTES: Final = 64 * 1024
POURS_PER_LEASE: Final = 4


class Sink(Protocol):
    """Where a body goes; called in a worker thread."""

    def add(self, data: bytes) -> None:
        """Take the next bytes."""


async def read_pieces(request: Request, limit: int, patience: timedelta) -> AsyncIterator[bytes]:
    """The body piece by piece.

    Raises:
        TooLarge: it has, or says that it has, more than `limit` bytes.
        UploadLapsed: nothing came for `patience`.
        starlette.requests.ClientDisconnect: the client went away.
    """
    refuse_length(request, limit)
    size = 0
    async with aclosing(request.stream()) as stream:
        while piece := await _next_piece(stream, patience):
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            yield piece


def refuse_length(request: Request, limit: int) -> int | None:
    """Refuse a body by its announced length, before a byte of it is read; returns that length if there is one.

    Raises:
        TooLarge: it says that it has more than `limit` bytes.
    """
    announced = request.headers.get("content-length")
    if announced is None:
        return None
    if int(announced) > limit:
        raise too_large(limit)
    return int(announced)


def too_large(limit: int) -> TooLarge:
    """The refusal of more than `limit` bytes."""
    return TooLarge(f"At most {limit:,} bytes are taken here.", limit=limit)


async def pour(pieces: AsyncIterator[bytes], sink: Sink, lease: timedelta) -> None:
    """Give the pieces to `sink` in larger ones; some of them at least four times within each `lease`.

    Between two of them neither a thread nor a database connection waits for the client.
    """
    held, poured_at = bytearray(), time.monotonic()
    async for piece in pieces:
        held += piece
        late = time.monotonic() - poured_at > lease.total_seconds() / POURS_PER_LEASE
        if late or len(held) >= POUR_BYTES:
            await anyio.to_thread.run_sync(sink.add, bytes(held))
            held.clear()
            poured_at = time.monotonic()
    if held:
        await anyio.to_thread.run_sync(sink.add, bytes(held))


async def _next_piece(stream: AsyncIterator[bytes], patience: timedelta) -> bytes:
    try:
        with anyio.fail_after(patience.total_seconds()):
            return await anext(stream, b"")
    except TimeoutError as error:
        raise UploadLapsed(f"Nothing came for {patience.total_seconds():g} seconds.") from error
