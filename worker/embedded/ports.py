"""Ports on the loopback interface that stay ours when a server restarts."""

import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port outside of the range that outgoing connections draw from.

    A client that retries a dead server on a port inside of that range can be given this very port, connects
    to itself, and so keeps the server from coming back.
    """
    last = min(_LAST, _first_ephemeral() - 1)
    if last > _FIRST:
        for _ in range(_TRIES):
            port = _FIRST + secrets.randbelow(last - _FIRST)
            if is_free(port):
                return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    return int(port)


def prefer(port: int, host: str = LOOPBACK) -> int:
    """`port` if it is one and free, else another."""
    return port if port and is_free(port, host) else free_port()


def _first_ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _LAST + 1
