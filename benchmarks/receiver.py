"""A receiver of webhooks in a process of its own: fast, refuses one in a hundred at first, and hangs where asked."""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import uvicorn

from benchmarks.installation import ROOT, clean_environment

HANGING: Final = "/hang"
_ACCEPTED: Final = "/accepted"
_ONE_IN: Final = 100
_HANG_SECONDS: Final = 60

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Receiver:
    """Where it listens, and what it has accepted."""

    url: str

    def accepted(self) -> list[tuple[str, str, float]]:
        """(path, event, seconds since 1970) of each webhook that was answered by 204, in order."""
        with httpx2.Client(trust_env=False, timeout=30) as client:
            return [(path, event, at) for path, event, at in client.get(self.url + _ACCEPTED).json()]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """One on a free port of this machine."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver"], cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield Receiver(process.stdout.readline().decode().strip())
    finally:
        process.kill()
        process.communicate()


@dataclass
class _App:
    """ASGI; what is refused at first is one event in a hundred of all that come."""

    accepted: list[tuple[str, str, float]] = field(default_factory=list)
    known: set[tuple[str, str]] = field(default_factory=set)
    counter: Iterator[int] = field(default_factory=itertools.count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == _ACCEPTED:
            await _answer(send, 200, json.dumps(self.accepted).encode())
        elif scope["path"] == HANGING:
            await asyncio.sleep(_HANG_SECONDS)
        else:
            await _answer(send, self._status(scope))

    def _status(self, scope: Scope) -> int:
        event = (scope["path"], dict(scope["headers"])[b"webhook-id"].decode())
        is_first = event not in self.known
        self.known.add(event)
        if is_first and next(self.counter) % _ONE_IN == 0:
            return 503
        self.accepted.append((*event, time.time()))
        return 204


async def _answer(send: Send, status: int, body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def run_receiver() -> None:
    """Serve until killed; the address is written to standard output."""
    config = uvicorn.Config(_App(), host="127.0.0.1", port=0, lifespan="off", log_level="error", access_log=False)
    listening = config.bind_socket()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    asyncio.run(uvicorn.Server(config).serve([listening]))


if __name__ == "__main__":
    run_receiver()
