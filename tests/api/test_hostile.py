"""Clients that are slow, rude or broken: they harm nobody else and leave nothing behind."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from api_stub import protocol
from tests.api.serving import Tenant, client_of, running_api, running_api_with, wait_for
from tests.api.wire import chunk, head_of, wire_to
from worker import reports
from worker.errors import ResultsNotReady
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings

CSV = b"device_id\nSNS-1\n"
BLOCK = b"SNS-1\n" * 60_000


def kept(runtime: Runtime) -> tuple[int, int]:
    """How many uploads and batches there are."""
    with runtime.transaction() as connection:
        row = connection.execute(text("select (select count(*) from upload), (select count(*) from batch)")).one()
    return int(row[0]), int(row[1])


def test_the_body_is_asked_for_only_once_the_request_is_allowed(api_url: str, tenant: Tenant) -> None:
    length = f"Content-Length: {len(CSV)}"
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, length, "Expect: 100-continue"))
        assert wire.receive().startswith(b"HTTP/1.1 100 Continue\r\n")
        wire.send(CSV)
        assert wire.answer()[0] == 202
    stranger = Tenant(tenant.organization_id, tenant.project_id, "claimd_unknown")
    with wire_to(api_url) as wire:
        wire.send(head_of(stranger, length, "Expect: 100-continue"))
        assert wire.receive().startswith(b"HTTP/1.1 401 ")
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, "Content-Length: 100000001", "Expect: 100-continue"))
        assert wire.receive().startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_put_together(api_url: str, tenant: Tenant, api: httpx2.Client) -> None:
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, "Transfer-Encoding: chunked"))
        for start in range(0, len(CSV), 5):
            wire.send(chunk(CSV[start : start + 5]))
        wire.send(chunk(b""))
        status, batch = wire.answer()
    assert status == 202
    assert api.get(f"/v1/claim-batches/{batch['id']}/input").content == CSV


def test_a_hundred_slow_senders_hold_neither_threads_nor_connections(settings: Settings, tenant: Tenant) -> None:
    runtime = build_runtime(settings.model_copy(update={"api_threads": 2}), pool_size=1)
    with running_api(runtime) as url, client_of(url, tenant) as api:
        opened = [socket.create_connection(("127.0.0.1", httpx2.URL(url).port or 0)) for _ in range(100)]
        for each in opened:
            each.sendall(head_of(tenant, "Content-Length: 100") + b"d")
        slowest = 0.0
        for byte in (b"e", b"v"):
            for each in opened:
                each.sendall(byte)
            started = time.monotonic()
            assert api.post(tenant.uploads, files={"file": ("a.csv", CSV)}).status_code == 202
            slowest = max(slowest, time.monotonic() - started)
        for each in opened:
            each.close()
    runtime.close()
    assert slowest < 2


def test_a_sender_who_goes_away_leaves_nothing(api_url: str, tenant: Tenant, runtime: Runtime) -> None:
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, "Content-Length: 1000000", "Idempotency-Key: k") + BLOCK)
        wait_for(lambda: kept(runtime) == (1, 0))
    wait_for(lambda: kept(runtime) == (0, 0))
    with runtime.transaction() as connection:
        assert connection.execute(text("select count(*) from upload_block")).scalar_one() == 0
        assert connection.execute(text("select count(*) from idempotency_key")).scalar_one() == 0


def test_a_sender_who_falls_silent_is_told_so(settings: Settings, tenant: Tenant, runtime: Runtime) -> None:
    with running_api_with(settings, upload_lease=timedelta(seconds=1)) as url, wire_to(url) as wire:
        wire.send(head_of(tenant, "Content-Length: 1000000") + BLOCK)
        status, problem = wire.answer()
    assert (status, problem["type"]) == (408, "upload-lapsed")
    assert kept(runtime) == (0, 0)


def test_the_answer_arrives_although_more_is_sent_than_allowed(settings: Settings, tenant: Tenant) -> None:
    with running_api_with(settings, max_upload_bytes=1000) as url, wire_to(url) as wire:
        wire.send(head_of(tenant, "Transfer-Encoding: chunked"))
        for _ in range(100):
            wire.send(chunk(b"x" * 50_000))
        wire.send(chunk(b""))
        assert wire.answer()[0] == 413
        # The rest was read and forgotten, so that the connection can be used again.
        wire.send(head_of(tenant, f"Content-Length: {len(CSV)}") + CSV)
        assert wire.answer()[0] == 202


def test_endless_headers_are_refused(api_url: str) -> None:
    for bomb in (b"X-Bomb: " + b"x" * 400_000, b"X-Bomb: x\r\n" * 40_000, b"X" * 400_000):
        with wire_to(api_url) as wire:
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: claimd.test\r\n")
            try:
                for start in range(0, len(bomb), 10_000):
                    wire.send(bomb[start : start + 10_000])
                assert wire.receive().startswith(b"HTTP/1.1 431 ")
            except ConnectionError:
                pass  # closed before all was sent: refused, too
    assert httpx2.get(f"{api_url}/healthz").status_code == 200


def test_what_is_no_http_gets_a_problem_document(api_url: str) -> None:
    for rubbish in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with wire_to(api_url) as wire:
            wire.send(rubbish)
            status, problem = wire.answer()
        assert (status, problem["type"]) == (400, "bad-request")


def test_pipelined_requests_are_answered_in_order(api_url: str, tenant: Tenant) -> None:
    with wire_to(api_url) as wire:
        request = head_of(tenant, f"Content-Length: {len(CSV)}") + CSV
        wire.send(request.replace(b"text/csv", b"text/xml") + request)
        data = b""
        while data.count(b"HTTP/1.1 ") < 2 or not data.endswith(b"}"):
            data += wire.receive()
    assert data.index(b"HTTP/1.1 415") < data.index(b"HTTP/1.1 202")


def test_a_connection_that_asks_for_nothing_is_closed(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    for beginning in (b"", b"GET /healthz HTTP/1.1\r\nHost: cl"):
        with wire_to(api_url) as wire:
            wire.send(beginning)
            assert wire.receive() == b""


def test_a_body_that_goes_on_for_ever_after_the_answer_is_cut_off(
    api_url: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.3)
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, "Transfer-Encoding: chunked", media_type="text/xml"))
        assert wire.answer()[0] == 415
        with pytest.raises(ConnectionError):
            wait_for(lambda: wire.send(chunk(b"x")))


def test_a_file_that_breaks_off_does_not_look_complete(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: object, **__: object) -> Iterator[bytes]:
        yield b"device_id,row\r\n"
        raise ResultsNotReady("The batch was taken up again.")

    monkeypatch.setattr(reports, "report_csv", breaking)
    with pytest.raises(httpx2.RemoteProtocolError), capture_logs():
        api.get("/v1/claim-batches/bat_x/results.csv")
