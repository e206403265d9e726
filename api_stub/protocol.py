"""HTTP/1.1 as Uvicorn reads it, with bounds that it does not have itself."""

import asyncio
from typing import Final

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api_stub.problems import MEDIA_TYPE, BadRequest, HeadersTooLarge, problem_document
from worker.errors import Refused

HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 20.0
# A body that was refused is read on for a while, or its sender would never see the answer.
LINGER_SECONDS: Final = 30.0

_REASONS: Final = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class BoundedHttp(HttpToolsProtocol):
    """Refuses endless heads, heads that take for ever, and bodies that go on after the answer."""

    _head_bytes = 0
    _in_head = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self._close_after(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        began_before = self._in_head
        super().data_received(data)
        # What came before a head's first byte does not count; the pieces that sockets give are small anyway.
        self._head_bytes = self._head_bytes + len(data) if began_before and self._in_head else 0
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadersTooLarge(f"At most {HEAD_BYTES:,} bytes are taken."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._close_after(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle.response_complete and self._timer is None:
            self._close_after(LINGER_SECONDS)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_timer()

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadRequest(msg))

    def _refuse(self, refused: Refused) -> None:
        body = to_json(problem_document(refused, "", ""))
        head = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        reason, media_type = _REASONS[refused.status], MEDIA_TYPE.encode("ascii")
        self.transport.write(head % (refused.status, reason, media_type, len(body)) + body)
        self.transport.close()

    def _close_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
