"""Carrying out a request once for each `Idempotency-Key`."""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import anyio.to_thread
from fastapi import Depends, Header, Request, Response
from pydantic_core import to_json
from sqlalchemy import Connection

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.body.pieces import POURS_PER_LEASE, Sink
from api_stub.models.options import Absent
from api_stub.replies import JSON_TYPE
from worker.accounts.idempotency import Answer, Remembered, Reservation, describe_request, reserve
from worker.batches.submit import InTransaction
from worker.principal import Principal
from worker.runtime import Runtime

EMPTY_SHA256: Final = hashlib.sha256().hexdigest()

Key = Annotated[
    str | Absent,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="The same request with the same key within 24 hours gets the first 2xx answer again.",
        examples=["order-4711"],
    ),
]


@dataclass(frozen=True)
class Call:
    """A request that may come again."""

    request: Request
    runtime: Runtime
    principal: Principal
    key: str | None


def call_of(request: Request, runtime: RuntimeDep, principal: PrincipalDep, key: Key = None) -> Call:
    """The request with who sent it and under which key."""
    return Call(request, runtime, principal, key)


CallDep = Annotated[Call, Depends(call_of)]


class Holding:
    """A sink that keeps the key of a long upload."""

    def __init__(self, sink: Sink, reservation: Reservation | None) -> None:
        """`sink` gets the bytes."""
        self._sink = sink
        self._reservation = reservation
        self._extended_at = time.monotonic()

    def add(self, data: bytes) -> None:
        self._sink.add(data)
        if self._reservation is not None and self._is_due(self._reservation):
            self._reservation.extend()
            self._extended_at = time.monotonic()

    def _is_due(self, reservation: Reservation) -> bool:
        lease = reservation.runtime.settings.upload_lease.total_seconds()
        return time.monotonic() - self._extended_at > lease / POURS_PER_LEASE


async def once(
    call: Call,
    digest: Callable[[], Awaitable[str]],
    perform: Callable[[Reservation | None], Awaitable[Answer]],
) -> Response:
    """Perform the call, or give the answer that it was given before.

    `digest` reads the body for its SHA-256, only if there is an earlier answer to compare it for.
    `perform` stores its answer by the reservation; if it raises, the key is free again.

    Raises:
        KeyReused: the key belongs to another request.
        KeyInFlight: the earlier request has no answer yet.
    """
    if call.key is None:
        return _response(await perform(None))
    found = await anyio.to_thread.run_sync(_reserve, call, call.key)
    if isinstance(found, Remembered):
        return _response(found.replay(await digest()), {"Idempotent-Replayed": "true"})
    async with _freed_on_failure(found):
        return _response(await perform(found))


async def act_once(
    call: Call,
    use_case: Callable[[InTransaction], dict[str, Any]],
    answer: Callable[[dict[str, Any]], Answer] | None = None,
) -> Response:
    """Carry out a use-case without a body and answer 202 with its document, or by `answer`, once for each key."""
    answer = answer or partial(answer_of, 202)

    async def perform(reservation: Reservation | None) -> Answer:
        def remember(connection: Connection, document: dict[str, Any]) -> None:
            if reservation is not None:
                reservation.store(connection, EMPTY_SHA256, answer(document))

        return answer(await anyio.to_thread.run_sync(use_case, remember))

    async def digest() -> str:
        return EMPTY_SHA256

    return await once(call, digest, perform)


def accepted(batch: dict[str, Any]) -> Answer:
    """The answer to whoever has sent a new batch."""
    return answer_of(202, batch, Location=f"/v1/claim-batches/{batch['id']}")


def answer_of(status: int, document: object, **headers: str) -> Answer:
    """The answer that a document makes."""
    return Answer(status, {"Content-Type": JSON_TYPE, **headers}, to_json(document))


def _reserve(call: Call, key: str) -> Reservation | Remembered:
    url = call.request.url
    return reserve(call.runtime, call.principal, key, describe_request(call.request.method, url.path, url.query))


@asynccontextmanager
async def _freed_on_failure(reservation: Reservation) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(reservation.free)
        raise


def _response(answer: Answer, further: dict[str, str] | None = None) -> Response:
    return Response(answer.body, answer.status, {**answer.headers, **(further or {})})
