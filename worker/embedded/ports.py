"""Ports on the loopback interface that stay ours when a server restarts."""

import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 20_000, 32_000
_TRIES = 200
_ABSTRACT_NAMES = sys.platform == "linux"


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


@dataclass(frozen=True)
class HeldPort:
    """A port that no other claimd on this machine takes while we have not begun to listen on it yet."""

    number: int
    _guard: socket.socket

    def release(self) -> None:
        """Lets go of it."""
        self._guard.close()


def hold(port: int, host: str = LOOPBACK) -> HeldPort | None:
    """Holds `port`, or any free one for 0; None if it is taken or held."""
    port = port or free_port()
    guard = socket.socket(socket.AF_UNIX if _ABSTRACT_NAMES else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if _ABSTRACT_NAMES:
            guard.bind(f"\0claimd-port-{port}")  # no file; the kernel frees the name with the process
    except OSError:
        guard.close()
        return None
    if not is_free(port, host):
        guard.close()
        return None
    return HeldPort(port, guard)


def _first_ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _LAST + 1
