"""Webhooks against a real receiver: signed, bounded, and to no address that was not checked."""

import datetime as dt
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream, ConnectTimeout
from standardwebhooks import WebhookVerificationError

from tests.certificates import self_signed
from tests.receiver import Receiver, running_receiver
from worker.notifications import webhooks
from worker.notifications.addresses import Address
from worker.notifications.connections import GuardedBackend, RefusedAddress
from worker.notifications.message import Answer, Message, Target
from worker.notifications.payloads import MOST_BYTES
from worker.notifications.signing import new_secret, show_secret
from worker.settings import Settings
from worker.states import EndpointKind, EventType

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
MESSAGE = Message(
    "evt_1", EventType.BATCH_COMPLETED, NOW, "org_1", {"batch_id": "bat_1", "state": "completed"}, "bat_1"
)
SECRET = new_secret()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes what comes."""
    with running_receiver() as receiver:
        yield receiver


def settings_with(**overrides: object) -> Settings:
    values = {"webhook_allow_private": True, "webhook_timeout": dt.timedelta(seconds=1), **overrides}
    return Settings.model_validate({"public_url": "https://claimd.example/", **values})


def resolving_to(*answers: str) -> Callable[[str, int], Awaitable[Sequence[Address]]]:
    """A resolver that gives one answer after the other; the last one again and again."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ipaddress.ip_address(left.pop(0) if len(left) > 1 else left[0])]

    return resolve


def send(
    url: str, *more: str, message: Message = MESSAGE, settings: Settings | None = None, **client: Any
) -> list[Answer]:
    """The answer of each address, all sent to by one client."""
    used = settings or settings_with()

    async def run() -> list[Answer]:
        async with webhooks.open_client(used, **client) as opened:
            targets = [Target(1, EndpointKind.WEBHOOK, each, (SECRET,)) for each in (url, *more)]
            return [await webhooks.post(opened, used, target, message) for target in targets]

    return anyio.run(run)


def test_a_message_is_signed_as_the_specification_says(receiver: Receiver) -> None:
    assert send(f"{receiver.url}/hook?a=b") == [Answer(delivered=True, status=204, error=None)]
    (received,) = receiver.at("/hook?a=b")
    assert received.headers["user-agent"].startswith("claimd/")
    assert received.headers["host"] == receiver.url.removeprefix("http://")
    document = received.verified(show_secret(SECRET))
    assert (document["type"], document["timestamp"]) == ("batch.completed", "2026-11-21T09:30:00.000000Z")
    assert document["data"]["links"]["results"] == "https://claimd.example/v1/claim-batches/bat_1/results"
    with pytest.raises(WebhookVerificationError):
        received.verified(show_secret(new_secret()))


def test_while_secrets_are_exchanged_either_verifies(receiver: Receiver) -> None:
    settings, other = settings_with(), new_secret()

    async def run() -> Answer:
        async with webhooks.open_client(settings) as client:
            target = Target(1, EndpointKind.WEBHOOK, receiver.url, (other, SECRET))
            return await webhooks.post(client, settings, target, MESSAGE)

    assert anyio.run(run).delivered
    for secret in (other, SECRET):
        receiver.received[0].verified(show_secret(secret))


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_a_delivery(receiver: Receiver, status: int) -> None:
    assert send(f"{receiver.url}/status/{status}")[0].delivered


@pytest.mark.parametrize(("status", "gone"), [(400, False), (404, False), (410, True), (500, False)])
def test_a_refusal_says_what_came(receiver: Receiver, status: int, gone: bool) -> None:
    (answer,) = send(f"{receiver.url}/status/{status}")
    assert answer == Answer(delivered=False, status=status, error=f"HTTP {status}: so [31m it is", gone=gone)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    (answer,) = send(f"{receiver.url}/redirect")
    assert (answer.delivered, answer.status, answer.error) == (False, 302, "HTTP 302: redirects are not followed")
    assert not receiver.at("/landed")


def test_a_receiver_may_ask_for_time(receiver: Receiver) -> None:
    late = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    asked = ["120", late.strftime("%a, %d %b %Y %H:%M:%S GMT"), "soon", "9" * 400, "-1"]
    receiver.script["/busy"] = [(503, {"Retry-After": each}) for each in asked] + [(500, {"Retry-After": "9"})]
    waits = [answer.retry_after for answer in send(*[f"{receiver.url}/busy"] * 6)]
    assert waits[1] == pytest.approx(300, abs=5)
    assert waits[:1] + waits[2:] == [120, None, 86_400, None, None]


@pytest.mark.parametrize("path", ["hang", "drip"])
def test_whoever_takes_too_long_is_left_alone(receiver: Receiver, path: str) -> None:
    started = time.monotonic()
    settings = settings_with(webhook_timeout=dt.timedelta(seconds=0.4))
    slow, other = send(f"{receiver.url}/{path}", receiver.url, settings=settings)
    assert (slow.error, other.delivered) == ("no answer within 0.4 seconds", True)
    assert time.monotonic() - started < 2


def test_no_more_than_a_little_of_the_answer_is_read(receiver: Receiver) -> None:
    (answer,) = send(f"{receiver.url}/flood")
    assert (answer.status, len(answer.error or "")) == (500, len("HTTP 500: ") + 200)
    assert receiver.sent < 10_000_000


def test_a_connection_that_breaks_is_an_answer(receiver: Receiver) -> None:
    assert "disconnected" in (send(f"{receiver.url}/cut")[0].error or "")
    assert send("http://127.0.0.1:9/")[0].status is None


def test_connections_are_used_again(receiver: Receiver) -> None:
    assert all(answer.delivered for answer in send(*[receiver.url] * 5))
    assert receiver.connections == 1


@pytest.mark.parametrize("path", ["", ".", "//127.0.0.1/x"])
def test_nothing_private_is_sent_to(receiver: Receiver, path: str) -> None:
    settings = settings_with(webhook_allow_private=False)
    (answer,) = send(f"{receiver.url}/{path}", settings=settings)
    assert answer == Answer(delivered=False, status=None, error="127.0.0.1 has an address that is not public")
    (by_name,) = send(receiver.url.replace("127.0.0.1", "localhost"), settings=settings)
    assert by_name.error == "localhost has an address that is not public"
    assert receiver.connections == 0


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """The first answer is public, all later ones are this machine: only the first is ever connected to."""
    network = _Noting()
    backend = GuardedBackend(resolving_to("93.184.215.14", "127.0.0.1"), network, allow_private=False)
    with pytest.raises(ConnectTimeout):
        anyio.run(backend.connect_tcp, "rebind.example", 443)
    with pytest.raises(RefusedAddress):
        anyio.run(backend.connect_tcp, "rebind.example", 443)
    assert network.asked == ["93.184.215.14"]


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address("::ffff:10.1.2.3")]

    (answer,) = send("http://mixed.example/", settings=settings_with(webhook_allow_private=False), resolve=resolve)
    assert answer.error == "mixed.example has an address that is not public"


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("::1"), ipaddress.ip_address("127.0.0.1")]

    assert send(receiver.url.replace("127.0.0.1", "two.example"), resolve=resolve)[0].delivered


def test_a_name_that_is_not_known_is_an_answer() -> None:
    assert "cannot be looked up" in (send("http://nothing.invalid/")[0].error or "")
    assert "cannot be looked up" in (send(f"http://{'a' * 64}.example/")[0].error or "")


def test_a_certificate_is_verified_for_the_host_of_the_address(tmp_path: Path) -> None:
    server, trust = self_signed(tmp_path, "hooks.example")
    with running_receiver(tls=server) as receiver:
        named = receiver.url.replace("127.0.0.1", "hooks.example")
        here = resolving_to("127.0.0.1")
        assert send(named, resolve=here, trust=trust)[0].delivered
        assert "self-signed" in (send(named, resolve=here)[0].error or "")
        other = named.replace("hooks.", "other.")
        assert "not valid for 'other.example'" in (send(other, resolve=here, trust=trust)[0].error or "")
        assert len(receiver.received) == 1


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(receiver.url)[0].delivered


@pytest.mark.parametrize(
    "data",
    [
        {"device_ids": [f"SNS-{number:08}" for number in range(100_000)]},
        {"reference": "ä" * 30_000},
        {"nested": {"files": [{"name": "x" * 1000, "codes": list(range(1000))} for _ in range(100)]}},
        {f"name {number}": number for number in range(10_000)},
    ],
)
def test_a_body_is_never_larger_than_promised(receiver: Receiver, data: dict[str, Any]) -> None:
    send(receiver.url, message=Message("evt_1", "batch.completed", NOW, "org_1", data, "bat_1"))
    (received,) = receiver.received
    document = json.loads(received.body)
    assert len(received.body) < MOST_BYTES
    assert document["data"]["truncated"] is True
    assert document["data"]["links"]["batch"].endswith("/bat_1")


class _Noting(AsyncNetworkBackend):
    """A network on which nobody answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, *_others: object, **_more: object) -> AsyncNetworkStream:
        self.asked.append(host)
        raise ConnectTimeout
