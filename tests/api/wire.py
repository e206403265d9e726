"""HTTP spoken by hand, for clients that a library would not be."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.api.serving import Tenant


@dataclass(frozen=True)
class Wire:
    """A connection to an API."""

    socket: socket.socket

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """What comes next; nothing at the end."""
        return self.socket.recv(65_536)

    def answer(self) -> tuple[int, dict[str, Any]]:
        """The status and the JSON document of the next final answer."""
        data = b""
        while True:
            head, separator, body = data.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 100") and separator:
                data = body
            elif separator and len(body) >= (length := _content_length(head)):
                return int(head.split()[1]), json.loads(body[:length])
            else:
                received = self.receive()
                assert received, data
                data += received


@contextmanager
def wire_to(url: str, seconds: float = 20) -> Iterator[Wire]:
    """A connection; what takes longer than `seconds` fails."""
    address = urlsplit(url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=seconds) as opened:
        yield Wire(opened)


def head_of(tenant: Tenant, *headers: str, media_type: str = "text/csv") -> bytes:
    """The head of an upload by `tenant`."""
    lines = [
        f"POST {tenant.uploads} HTTP/1.1",
        "Host: claimd.test",
        f"Authorization: Bearer {tenant.token}",
        f"Content-Type: {media_type}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
