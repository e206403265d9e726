"""Webhooks: one signed POST, to a checked address, within a bounded time, reading a bounded answer."""

import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Final

import anyio
import httpcore2
import httpx2

from worker.notifications.connections import GuardedBackend, Resolve, system_resolver
from worker.notifications.message import Answer, Message, Target
from worker.notifications.payloads import webhook_body
from worker.notifications.signing import signed_headers
from worker.settings import Settings
from worker.version import __version__

MOST_ANSWERED: Final = 64 * 1024
_EXCERPT: Final = 1000
_SHOWN: Final = 200
_LONGEST_ERROR: Final = 500
_ASKS_TO_WAIT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_LONGEST_WAIT: Final = 24 * 60 * 60.0
_POOLS: Final = 16
_KEPT_ALIVE: Final = 8
_IDLE_SECONDS: Final = 5.0
_FAILURES: Final = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
    OSError,
    UnicodeError,
)


@dataclass(frozen=True)
class Client:
    """Connections to any number of receivers: no redirects, no proxy from the environment, no cookies.

    For each request a pool looks through all its connections, so there are several pools.
    """

    pools: Sequence[httpcore2.AsyncConnectionPool]

    def pool_of(self, target: Target) -> httpcore2.AsyncConnectionPool:
        """Always the same one for an endpoint, so that its connections are kept."""
        return self.pools[target.endpoint_key % len(self.pools)]


@asynccontextmanager
async def open_client(
    settings: Settings, resolve: Resolve | None = None, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """A client; `resolve` and `trust` stand in for the machine's own."""
    looks_up, network = resolve or system_resolver(), httpcore2.AnyIOBackend()
    backend = GuardedBackend(looks_up, network, allow_private=settings.webhook_allow_private)
    pool = partial(
        httpcore2.AsyncConnectionPool,
        ssl_context=trust or httpcore2.default_ssl_context(),
        max_connections=None,
        max_keepalive_connections=_KEPT_ALIVE,
        keepalive_expiry=_IDLE_SECONDS,
        network_backend=backend,
    )
    async with AsyncExitStack() as stack:
        yield Client([await stack.enter_async_context(pool()) for _ in range(_POOLS)])


async def post(client: Client, settings: Settings, target: Target, message: Message) -> Answer:
    """Send `message` once; whatever happens, on either side, is an answer."""
    heard = _Heard()
    seconds = settings.webhook_timeout.total_seconds()
    try:
        # Over all of it: a receiver that drips would outlast any time-out of a single read.
        with anyio.fail_after(seconds):
            await _exchange(client, settings, target, message, heard)
    except TimeoutError:
        return heard.answer(f"no answer within {seconds:g} seconds")
    except _FAILURES as error:
        return heard.answer(str(error) or type(error).__name__)
    return heard.answer()


@dataclass
class _Heard:
    """What has come back so far; a status counts, whatever becomes of the rest."""

    response: httpcore2.Response | None = None
    excerpt: bytes = b""

    def answer(self, failure: str = "") -> Answer:
        if self.response is None:
            return Answer(delivered=False, status=None, error=failure[:_LONGEST_ERROR])
        status = self.response.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Answer(delivered=True, status=status, error=None)
        wait = _retry_after(self.response) if status in _ASKS_TO_WAIT else None
        return Answer(
            delivered=False, status=status, error=self._error(status), gone=status == HTTPStatus.GONE, retry_after=wait
        )

    def _error(self, status: int) -> str:
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return f"HTTP {status}: redirects are not followed"
        text = "".join(each if each.isprintable() else " " for each in self.excerpt.decode("utf-8", "replace"))
        return f"HTTP {status}: {' '.join(text.split())[:_SHOWN]}".rstrip(": ")


async def _exchange(client: Client, settings: Settings, target: Target, message: Message, heard: _Heard) -> None:
    body = webhook_body(settings, message)
    headers = {
        "Host": httpx2.URL(target.target).netloc.decode("ascii"),
        "Content-Type": "application/json",
        "User-Agent": f"claimd/{__version__}",
        **signed_headers(target.secrets, message.event_id, int(time.time()), body),
    }
    timeout = {"connect": settings.webhook_timeout.total_seconds()}
    async with client.pool_of(target).stream(
        "POST", target.target, headers=list(headers.items()), content=body, extensions={"timeout": timeout}
    ) as response:
        heard.response = response
        size = 0
        async for part in response.aiter_stream():
            heard.excerpt = (heard.excerpt + part)[:_EXCERPT]
            size += len(part)
            if size >= MOST_ANSWERED:
                return


def _retry_after(response: httpcore2.Response) -> float | None:
    """The seconds that the receiver asks for, as a number or as a date; at most a day."""
    values = (value for name, value in response.headers if name.lower() == b"retry-after")
    value = next(values, b"").decode("ascii", "replace").strip()
    try:
        seconds = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
