"""A network between claimd and a server of its own, which tests break."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from worker.embedded.ports import LOOPBACK

_PIECE = 65_536


class Proxy:
    """Hands on what comes to `url`; all connections share its troubles."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._port = 0
        self._delay = 0.0
        self._cuts = 0
        self._is_hole = False
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The way to the server through here."""
        server = urlsplit(self._server_url)
        return server._replace(netloc=f"{server.netloc.rpartition(':')[0]}:{self._port}").geturl()

    def delay(self, seconds: float) -> None:
        """From now on every piece comes so much later."""
        self._delay = seconds

    def cut(self, times: int) -> None:
        """Reset the next connections that are used, each in the middle of a piece."""
        self._cuts = times

    @property
    def cuts_left(self) -> int:
        return self._cuts

    def swallow(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._is_hole = True

    def forget(self) -> None:
        """Things arrive again, but only on new connections: nobody is told that the others are dead."""
        self._is_hole = False

    def heal(self) -> None:
        """All is well again; connections of before are reset."""
        self._delay, self._cuts, self._is_hole = 0.0, 0, False
        self._loop.call_soon_threadsafe(self._reset_all)

    async def serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._connect, LOOPBACK, 0)
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        server.close()
        self._reset_all()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    def _reset_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._known(writer), suppress(OSError):
            if self._is_hole:
                await reader.read()
            else:
                await self._join(reader, writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = urlsplit(self._server_url)
        there, back = await asyncio.open_connection(server.hostname, server.port)
        with self._known(back):
            ways = {asyncio.create_task(self._carry(reader, back)), asyncio.create_task(self._carry(there, writer))}
            _, other = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in other:
                way.cancel()

    @contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_dead = False
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                is_dead = is_dead or self._is_hole
                if is_dead:
                    continue
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._cuts:
                    self._cuts -= 1
                    writer.write(piece[: len(piece) // 2])
                    return await writer.drain()
                writer.write(piece)
                await writer.drain()
        return None


@contextmanager
def running_proxy(server_url: str) -> Iterator[Proxy]:
    """A proxy before a server."""
    proxy, ready = Proxy(server_url), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(ready)))
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()
