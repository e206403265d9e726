"""What every request passes: its id, its log line, and an answer even if all else fails."""

import asyncio
import re
import secrets
import time

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_stub.problems import InternalError, Unavailable, problem_response
from worker.errors import Invalid, NotFound, Refused

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

log = structlog.get_logger("claimd.api")


class RequestContext:
    """Gives each request an id, binds it into the logs, and turns surprises into problem documents."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is everything inside."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(Headers(scope=scope))
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await _Exchange(self.app, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._status = 0

    async def run(self) -> None:
        started = time.perf_counter()
        try:
            await self._answer()
        finally:
            log.info(
                "request",
                method=self._scope["method"],
                path=self._scope["path"],
                status=self._status or None,
                milliseconds=round((time.perf_counter() - started) * 1000),
            )

    async def _answer(self) -> None:
        refused = _unusable(self._scope)
        try:
            if refused is None:
                await self._app(self._scope, self._receive, self._reply)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            # The server stops, and this is the whole of its task: it may still say so.
            refused = Unavailable("claimd is being stopped; send the request again.")
        except Exception:
            log.exception("a request failed")
            refused = InternalError("The request id leads to what happened in the logs.")
        if refused is not None and not self._status:
            response = problem_response(Request(self._scope), refused)
            await response(self._scope, self._receive, self._reply)

    async def _reply(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._scope["request_id"]
            # Uploads are given back as they came: no browser shall take one for a page.
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if SANE_ID.fullmatch(given) else secrets.token_hex(16)


def _unusable(scope: Scope) -> Refused | None:
    """No text in the database can hold a NUL, so that nothing asked for by one exists."""
    if "\0" in scope["path"]:
        return NotFound("There is nothing at this address.")
    if b"%00" in scope["query_string"]:
        return Invalid("A query option has a NUL character.")
    return None
