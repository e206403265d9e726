"""Connections of webhooks: a host is looked up once, and what was checked is what is connected to."""

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

import anyio
import anyio.to_thread
from httpcore2 import (
    SOCKET_OPTION,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

from worker.notifications.addresses import Address, is_public

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

MOST_ADDRESSES: Final = 4
# A name server that does not answer holds a thread; there are enough for the other hosts.
_LOOKUPS: Final = 200


class RefusedAddress(ConnectError):
    """The host has an address that webhooks are not sent to."""


class GuardedBackend(AsyncNetworkBackend):
    """Connects to checked addresses only; a host of which any address is private is refused as a whole."""

    def __init__(self, resolve: Resolve, network: AsyncNetworkBackend, *, allow_private: bool) -> None:
        """`resolve` gives the addresses of a host, the best ones first; `network` is told addresses only."""
        self._resolve = resolve
        self._network = network
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to the first address that takes it; each gets its share of the time.

        Raises:
            RefusedAddress: one of them is private.
            ConnectError, ConnectTimeout: the host has none, or none takes it.
        """
        addresses = await self._checked(host, port)
        share = timeout / len(addresses) if timeout else None
        connect = partial(self._network.connect_tcp, port=port, timeout=share, local_address=local_address)
        for address in addresses[:-1]:
            try:
                return await connect(str(address), socket_options=socket_options)
            except (ConnectError, ConnectTimeout):
                continue
        return await connect(str(addresses[-1]), socket_options=socket_options)

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise ConnectError(f"{host} cannot be looked up: {error}") from error
        if not addresses:
            raise ConnectError(f"{host} has no address")
        if not self._allow_private and not all(map(is_public, addresses)):
            # Which one it is would tell strangers about our network.
            raise RefusedAddress(f"{host} has an address that is not public")
        return addresses[:MOST_ADDRESSES]


def system_resolver() -> Resolve:
    """The resolver of this machine; however many look-ups hang, it takes no threads from anything else."""
    limiter = anyio.CapacityLimiter(_LOOKUPS)

    async def resolve(host: str, port: int) -> Sequence[Address]:
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await anyio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=limiter)
        return list(dict.fromkeys(ip_address(each[4][0]) for each in found))

    return resolve
