"""Where webhooks may go: to no address that is this machine's, its network's or its provider's own."""

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx2

from worker.errors import Invalid

Address = IPv4Address | IPv6Address

MAX_TARGET: Final = 2000
_MAX_PORT: Final = 65_535
_LOCAL: Final = ("localhost", ".local", ".internal")
_is_name = re.compile(r"(?=.{1,254}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?").fullmatch
_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Global by the registry, and yet nobody's: the relays of 6to4, and what a provider answers on every machine.
_REFUSED: Final = (IPv4Network("192.88.99.0/24"), IPv4Network("168.63.129.16/32"))


def is_public(address: Address) -> bool:
    """Whether `address`, and the one that a translator would make of it, is a single host of the Internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in each for each in _REFUSED)
    inner = _translated(address)
    if inner is not None:
        return is_public(inner)
    return address in _UNICAST and address.is_global and address.teredo is None


def checked_url(target: str, *, allow_private: bool) -> str:
    """`target` as it is stored: without spaces around it, its host in ASCII.

    Raises:
        Invalid: it is no address of the web, or one that nothing is sent to.
    """
    url = _parsed(target.strip())
    if url.scheme not in ({"http", "https"} if allow_private else {"https"}) or not url.host:
        raise _invalid("A webhook's address begins with https://.")
    if url.userinfo or url.fragment:
        raise _invalid("A webhook's address has neither a user name, nor a password, nor a fragment.")
    _check_host(url.raw_host.decode("ascii"), allow_private=allow_private)
    return str(url)


def numeric(host: str) -> Address | None:
    """The address that `host` spells in any way that a system's resolver takes; None if it is a name."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ip_address(found[0][4][0])


def _parsed(target: str) -> httpx2.URL:
    if len(target) > MAX_TARGET or not target.isprintable():
        raise _invalid(f"An address has at most {MAX_TARGET:,} printable characters.")
    try:
        url = httpx2.URL(target)
    except (httpx2.InvalidURL, ValueError) as error:
        raise _invalid("This is no address of the web.") from error
    if url.port is not None and not 0 < url.port <= _MAX_PORT:
        raise _invalid(f"A port is a number from 1 to {_MAX_PORT:,}.")
    return url.copy_with(host=url.raw_host.decode("ascii"))


def _check_host(host: str, *, allow_private: bool) -> None:
    address = numeric(host)
    if address is None and not _is_name(host):
        raise _invalid("This is no name of a host.")
    local = not is_public(address) if address else host.rstrip(".").endswith(_LOCAL)
    if local and not allow_private:
        raise _invalid("Webhooks are not sent to private addresses.")


def _translated(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside one that is mapped, of NAT64 or of 6to4."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _invalid(detail: str) -> Invalid:
    return Invalid(detail, parameter="target")
