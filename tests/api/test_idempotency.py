"""An `Idempotency-Key` makes a request happen once, whatever happens around it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text

from tests.api.serving import Tenant, client_of, running_api_with, wait_for
from tests.api.wire import head_of, wire_to
from worker import accounts
from worker.accounts.idempotency import Answer, KeyInFlight, Remembered, Reservation, describe_request, reserve
from worker.batches.work import run_resolve
from worker.principal import Principal
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Role

CSV = b"device_id\nSNS-1\n"
HOUR = timedelta(hours=1)


def upload(api: httpx2.Client, tenant: Tenant, key: str, content: bytes = CSV, **options: str) -> httpx2.Response:
    """An upload under a key."""
    headers = {"Idempotency-Key": key, "Content-Type": "text/csv"}
    return api.post(tenant.uploads, content=content, params=options, headers=headers)


def count_batches(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        return int(connection.execute(text("select count(*) from batch")).scalar_one())


def is_held(runtime: Runtime) -> bool:
    """Whether some request holds a key."""
    with runtime.transaction() as connection:
        statement = text("select exists (select from idempotency_key where locked_until is not null)")
        return bool(connection.execute(statement).scalar_one())


def age_keys(runtime: Runtime, by: timedelta) -> None:
    """Let time go by."""
    with runtime.transaction() as connection:
        statement = "update idempotency_key set created_at = created_at - :by, locked_until = locked_until - :by"
        connection.execute(text(statement), {"by": by})


@pytest.fixture
def principal(runtime: Runtime, tenant: Tenant) -> Principal:
    """The bearer of the tenant's token."""
    found = accounts.authenticate(runtime, tenant.token)
    assert found is not None
    return found


def test_the_same_request_gets_the_first_answer_again(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    first = upload(api, tenant, "k", reference="a b", mode="atomic")
    run_resolve(runtime, first.json()["id"])
    # In another order, in a form, under another request id, and although the batch has gone on.
    again = api.post(
        f"{tenant.uploads}?mode=atomic&reference=a%20b",
        files={"file": ("other.csv", CSV)},
        headers={"Idempotency-Key": "k"},
    )
    assert first.status_code == again.status_code == 202
    assert again.content == first.content
    assert [again.headers[name] for name in ("Location", "Content-Type")] == [
        first.headers[name] for name in ("Location", "Content-Type")
    ]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count_batches(runtime) == 1


def test_another_request_under_the_same_key_is_refused(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    first = upload(api, tenant, "k")
    others = [
        upload(api, tenant, "k", content=CSV + b"SNS-2\n"),
        upload(api, tenant, "k", preview="true"),
        api.post(f"/v1/claim-batches/{first.json()['id']}/cancel", headers={"Idempotency-Key": "k"}),
    ]
    for other in others:
        assert (other.status_code, other.json()["type"]) == (422, "idempotency-key-reused")
    assert count_batches(runtime) == 1


def test_a_key_belongs_to_its_token(api_url: str, api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    secret = accounts.create_token(runtime, tenant.organization_id, "other", [Role.ORGANIZATION_ADMIN]).secret
    other = Tenant(tenant.organization_id, tenant.project_id, secret)
    with client_of(api_url, other) as second:
        answers = [upload(api, tenant, "k"), upload(second, other, "k")]
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, None]
    assert count_batches(runtime) == 2


def test_a_refused_request_frees_its_key(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    assert api.post(tenant.uploads, content=b"[]", headers=headers).status_code == 422
    assert api.post(tenant.uploads, content=b"[]", headers={**headers, "Content-Type": "x/y"}).status_code == 415
    gone = "/v1/projects/prj_gone/claim-batches"
    assert api.post(gone, content=b"{}", headers=headers).status_code == 404
    assert upload(api, tenant, "k").status_code == 202
    assert count_batches(runtime) == 1


def test_a_key_that_is_no_key_is_refused(api: httpx2.Client, tenant: Tenant) -> None:
    for key in ("", "a b", "ü".encode("latin-1"), "x" * 256):
        headers = [(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
        answer = api.post(tenant.uploads, files={"file": ("a.csv", CSV)}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid-request"), key
    assert upload(api, tenant, "~!" + "x" * 253).status_code == 202


def test_twenty_at_once_make_one_batch(api_url: str, tenant: Tenant, runtime: Runtime) -> None:
    def send(_: int) -> httpx2.Response:
        with client_of(api_url, tenant) as client:
            return upload(client, tenant, "k")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert len({answer.content for answer in accepted}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in accepted) == 1
    assert {(each.status_code, each.json()["type"]) for each in refused} <= {(409, "idempotency-key-in-flight")}
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
    assert count_batches(runtime) == 1


def test_a_key_in_use_is_refused_and_lapses_with_a_lost_process(
    api_url: str, api: httpx2.Client, tenant: Tenant, runtime: Runtime
) -> None:
    with wire_to(api_url) as wire:
        wire.send(head_of(tenant, f"Content-Length: {len(CSV)}", "Idempotency-Key: k"))
        wait_for(lambda: is_held(runtime))
        assert upload(api, tenant, "k").status_code == 409
        # The first sender's process is taken for dead: the second one goes ahead, and only one batch is made.
        age_keys(runtime, HOUR)
        assert upload(api, tenant, "k").status_code == 202
        wire.send(CSV)
        status, problem = wire.answer()
    assert (status, problem["type"]) == (409, "idempotency-key-in-flight")
    assert count_batches(runtime) == 1
    assert upload(api, tenant, "k").headers["Idempotent-Replayed"] == "true"


def test_a_long_upload_keeps_its_key(settings: Settings, tenant: Tenant, runtime: Runtime) -> None:
    with running_api_with(settings, upload_lease=timedelta(seconds=3)) as url, client_of(url, tenant) as api:
        with wire_to(url) as wire:
            wire.send(head_of(tenant, f"Content-Length: {len(CSV)}", "Idempotency-Key: k"))
            refused: list[bool] = []
            wait_for(lambda: is_held(runtime))
            for place in range(len(CSV)):
                refused.append(upload(api, tenant, "k").status_code == 409)
                wait_for(_seconds_pass(0.3))
                wire.send(CSV[place : place + 1])
            assert wire.answer()[0] == 202
        assert all(refused)
        assert upload(api, tenant, "k").headers["Idempotent-Replayed"] == "true"
    assert count_batches(runtime) == 1


def test_a_key_is_forgotten_after_a_day(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    first = upload(api, tenant, "k")
    age_keys(runtime, timedelta(hours=23))
    assert upload(api, tenant, "k").content == first.content
    age_keys(runtime, timedelta(hours=2))
    upload(api, tenant, "other")
    with runtime.transaction() as connection:
        assert connection.execute(text("select name from idempotency_key")).scalars().all() == ["other"]
    assert "Idempotent-Replayed" not in upload(api, tenant, "k").headers
    assert count_batches(runtime) == 3


def test_acts_and_imports_know_keys_too(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    batch = upload(api, tenant, "upload", preview="true").json()["id"]
    run_resolve(runtime, batch)
    inventory = {"Idempotency-Key": "import", "Content-Type": "text/csv"}
    requests: list[Callable[[], httpx2.Response]] = [
        lambda: api.post(f"/v1/claim-batches/{batch}/confirm", headers={"Idempotency-Key": "confirm"}),
        lambda: api.post("/v1/inventory-imports", content=CSV, headers=inventory),
    ]
    for send in requests:
        first, again = send(), send()
        assert first.status_code in {200, 202}, first.text
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"


def test_an_answer_and_its_batch_are_kept_or_lost_together(runtime: Runtime, principal: Principal) -> None:
    request, answer = describe_request("POST", "/x", ""), Answer(202, {}, b"{}")
    first = reserve(runtime, principal, "k", request)
    assert isinstance(first, Reservation)
    with runtime.engine.connect() as connection:
        first.store(connection, "00" * 32, answer)  # and the process dies before the commit
    with pytest.raises(KeyInFlight):
        reserve(runtime, principal, "k", request)
    with runtime.transaction() as connection:
        first.store(connection, "00" * 32, answer)
    first.free()
    assert reserve(runtime, principal, "k", request) == Remembered("00" * 32, answer)


def _seconds_pass(seconds: float) -> Callable[[], bool]:
    """A condition that is met after some time."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end
