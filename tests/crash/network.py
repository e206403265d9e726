"""Another host: a network namespace that is joined to this one by a cable which tests pull out."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from worker.settings import Settings

_PIECE = 65_536


@dataclass(frozen=True)
class Host:
    """What runs there is prefixed with `program`; this host is at `address` for it."""

    name: str
    address: str

    @property
    def program(self) -> Sequence[str]:
        return ["ip", "netns", "exec", self.name]

    def pull(self) -> None:
        """From now on nothing arrives, in either direction, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def plug_in(self) -> None:
        """Things arrive again."""
        _ip("link", "set", self.name, "up")


@contextmanager
def another_host() -> Iterator[Host]:
    """A host; the test is skipped where none can be made."""
    number = os.getpid() % 60_000
    host = Host(f"cd{number}", f"10.213.{number // 250}.{number % 250 + 1}")
    peer = f"cp{number}"
    try:
        _ip("netns", "add", host.name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")
    try:
        _ip("link", "add", host.name, "type", "veth", "peer", "name", peer, "netns", host.name)
        _ip("address", "add", host.address, "peer", "10.214.0.1", "dev", host.name)
        _ip("-n", host.name, "address", "add", "10.214.0.1", "peer", host.address, "dev", peer)
        _ip("-n", host.name, "link", "set", peer, "up")
        host.plug_in()
        yield host
    finally:
        _ip("netns", "delete", host.name)  # the cable goes with it


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def settings_there(host: Host, settings: Settings) -> Iterator[Settings]:
    """The settings of a program on the other host: servers that listen to this one alone are handed on to it."""
    urls = {"database_url": settings.require_database_url(), "broker_url": settings.require_broker_url()}
    bridge = _Bridge(host.address, urls)
    thread = threading.Thread(target=lambda: asyncio.run(bridge.serve()))
    thread.start()
    assert bridge.ready.wait(5)
    try:
        yield settings.model_copy(update={name: SecretStr(url) for name, url in bridge.urls.items()})
    finally:
        bridge.stop()
        thread.join()


class _Bridge:
    """Hands on what comes to `address`; `urls` are changed to lead there."""

    def __init__(self, address: str, urls: dict[str, str]) -> None:
        self._address = address
        self.urls = dict(urls)
        self.ready = threading.Event()

    async def serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        servers = [await self._listen(name) for name in self.urls]
        self.ready.set()
        await self._over.wait()
        for server in servers:
            server.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    async def _listen(self, name: str) -> asyncio.Server:
        there = urlsplit(self.urls[name])
        connect = partial(_join, str(there.hostname), there.port or 0)
        server = await asyncio.start_server(connect, self._address, 0)
        port = server.sockets[0].getsockname()[1]
        netloc = f"{there.netloc.rpartition('@')[0]}@{self._address}:{port}"
        self.urls[name] = there._replace(netloc=netloc).geturl()
        return server


async def _join(name: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    ends = [writer]
    with suppress(OSError, asyncio.CancelledError):
        there, back = await asyncio.open_connection(name, port)
        ends.append(back)
        ways = [asyncio.ensure_future(_carry(*way)) for way in ((reader, back), (there, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
    for end in ends:
        end.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
