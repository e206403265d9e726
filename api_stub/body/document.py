"""A body that is one small JSON document."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from fastapi import Request
from pydantic import TypeAdapter

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.body.listing import parse_json
from api_stub.body.pieces import read_pieces

T = TypeVar("T")

MOST_BYTES: Final = 64 * 1024


def document_of(adapter: TypeAdapter[T]) -> Callable[..., Awaitable[T]]:
    """A dependency: the body, read once it is known who sends it."""

    async def read(request: Request, runtime: RuntimeDep, _principal: PrincipalDep) -> T:
        pieces = read_pieces(request, MOST_BYTES, runtime.settings.upload_lease)
        return parse_json(adapter, b"".join([piece async for piece in pieces]))

    return read
