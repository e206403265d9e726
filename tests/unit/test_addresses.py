"""Which addresses webhooks are sent to, and which texts are taken for one."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Invalid
from worker.notifications.addresses import MAX_TARGET, checked_url, is_public, numeric

# RFC 6890 and its successors, and what clouds answer themselves.
REFUSED_4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4", "255.255.255.255/32", "168.63.129.16/32",
]  # fmt: skip
REFUSED_6 = [
    "::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48",
    "2001:db8::/32", "fc00::/7", "fd00:ec2::254/128", "fe80::/10", "fec0::/10", "ff00::/8", "5f00::/16",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


def inside(network: str) -> st.SearchStrategy[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return st.ip_addresses(network=network)


def translations(address: ipaddress.IPv4Address) -> list[ipaddress.IPv6Address]:
    """What stands for an IPv4 address in IPv6: mapped, NAT64, 6to4."""
    number = int(address)
    forms = [(0xFFFF << 32) | number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80) | 1]
    return [ipaddress.IPv6Address(form) for form in forms]


@given(st.sampled_from(REFUSED_4 + REFUSED_6).flatmap(inside))
def test_no_special_address_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert not is_public(address)


@given(st.sampled_from(REFUSED_4).flatmap(lambda network: st.ip_addresses(v=4, network=network)))
def test_nor_is_what_a_translator_makes_of_it(address: ipaddress.IPv4Address) -> None:
    assert not any(map(is_public, translations(address)))


@given(st.ip_addresses(v=4))
def test_a_translated_address_is_as_public_as_its_inside(address: ipaddress.IPv4Address) -> None:
    assert {is_public(each) for each in translations(address)} == {is_public(address)}


@pytest.mark.parametrize("address", PUBLIC)
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.sampled_from(["dotted", "number", "hexadecimal", "short"]))
def test_every_spelling_of_a_private_address_is_seen_through(address: ipaddress.IPv4Address, form: str) -> None:
    number = int(address)
    spelled = {
        "dotted": str(address),
        "number": str(number),
        "hexadecimal": hex(number),
        "short": f"10.{number & 0xFFFFFF}",
    }[form]
    assert numeric(spelled) == address
    with pytest.raises(Invalid):
        checked_url(f"https://{spelled}/hook", allow_private=False)


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        (" https://Hooks.Example.com/a?b=c ", "https://hooks.example.com/a?b=c"),
        ("https://bücher.example:8443/ä", "https://xn--bcher-kva.example:8443/%C3%A4"),
        ("https://1.1.1.1", "https://1.1.1.1"),
        ("https://[2606:4700::1111]:444/", "https://[2606:4700::1111]:444/"),
    ],
)
def test_an_address_is_stored_in_ascii(target: str, stored: str) -> None:
    assert checked_url(target, allow_private=False) == stored


@pytest.mark.parametrize(
    "target",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:0/",
        "https://hooks..example.com/",
        "https://hooks example.com/",
        "https://hooks.example.com/\r\nHost: other",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://localhost./",
        "https://api.localhost/",
        "https://metadata.google.internal/",
        "https://169.254.169.254/latest/",
        "https://127.1/",
        "https://0/",
        "https://hooks.example.com/" + "a" * MAX_TARGET,
    ],
)
def test_what_nothing_is_sent_to_is_refused_at_once(target: str) -> None:
    with pytest.raises(Invalid):
        checked_url(target, allow_private=False)


def test_at_home_anything_goes() -> None:
    assert checked_url("http://localhost:9000/hook", allow_private=True) == "http://localhost:9000/hook"
    with pytest.raises(Invalid):
        checked_url("gopher://localhost/", allow_private=True)
