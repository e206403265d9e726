"""Taking in a batch, in each of the ways in which clients send one."""

import httpx2
import pytest

from tests.api.serving import Tenant, client_of, running_api_with
from worker.batches.work import run_resolve
from worker.runtime import Runtime
from worker.settings import Settings

CSV = b"device_id\nSNS-1\nSNS-2\n"


def stored(api: httpx2.Client, batch: dict[str, object]) -> bytes:
    """The input that a batch has kept."""
    return api.get(f"/v1/claim-batches/{batch['id']}/input").content


def test_a_csv_body_becomes_a_batch(api: httpx2.Client, tenant: Tenant) -> None:
    answer = api.post(
        tenant.uploads,
        content=CSV,
        headers={
            b"Content-Type": b"text/csv; charset=utf-8",
            b"Content-Disposition": 'attachment; filename="C:\\orders\\räume.csv"'.encode(),
        },
    )
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert answer.headers["Location"] == f"/v1/claim-batches/{batch['id']}"
    assert batch["state"] == "received"
    assert batch["file_name"] == "räume.csv"
    assert stored(api, batch) == CSV
    assert api.get(answer.headers["Location"]).json()["id"] == batch["id"]


def test_a_form_becomes_a_batch_whatever_else_is_in_it(api: httpx2.Client, tenant: Tenant) -> None:
    answer = api.post(
        tenant.uploads,
        data={"comment": "x" * 1000, "mode": "atomic"},
        files={"file": ("räume.csv", CSV, "application/vnd.ms-excel")},
    )
    assert answer.status_code == 202, answer.text
    assert (answer.json()["file_name"], answer.json()["mode"]) == ("räume.csv", "partial")
    assert stored(api, answer.json()) == CSV


def test_a_file_of_any_size_is_kept_byte_by_byte(api: httpx2.Client, tenant: Tenant) -> None:
    for size in (0, 1, 65_535, 65_536, 65_537, 131_072, 400_001):
        file = (b"device_id\r\n--boundary\r\nSNS-1\r\n" * (size // 30 + 1))[:size]
        for answer in (
            api.post(tenant.uploads, files={"file": ("a.csv", file)}),
            api.post(tenant.uploads, content=file, headers={"Content-Type": "text/csv"}),
        ):
            assert answer.status_code == 202, answer.text
            assert answer.json()["input_bytes"] == size
            assert stored(api, answer.json()) == file


def test_json_becomes_a_batch(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    body = {
        "kit_ids": ["KIT-1"],
        "device_ids": ["SNS-1"],
        "devices": [{"serial_number": "7", "claim_code": "secret"}],
    }
    answer = api.post(tenant.uploads, json=body)
    assert answer.status_code == 202, answer.text
    run_resolve(runtime, answer.json()["id"])
    assert api.get(answer.headers["Location"]).json()["rows_total"] == 3


@pytest.mark.parametrize("body", [{}, {"kit_ids": [], "device_ids": [], "devices": []}])
def test_json_without_anything_to_claim_is_rejected_later(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime, body: dict[str, object]
) -> None:
    answer = api.post(tenant.uploads, json=body)
    assert answer.status_code == 202, answer.text
    run_resolve(runtime, answer.json()["id"])
    batch = api.get(answer.headers["Location"]).json()
    assert (batch["state"], batch["problem"]["type"]) == ("rejected", "empty")


def test_options_come_back_in_the_batch(api: httpx2.Client, tenant: Tenant) -> None:
    first = api.post(tenant.uploads, files={"file": ("a.csv", CSV)}).json()
    options = {"mode": "atomic", "preview": "true", "reference": "Zelle 7\n≤", "max_claims": "3", "unknown": "x"}
    answer = api.post(tenant.uploads, params={**options, "parent": first["id"]}, files={"file": ("a.csv", CSV)})
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert (batch["mode"], batch["preview"], batch["max_claims"]) == ("atomic", True, 3)
    assert (batch["reference"], batch["parent"]) == ("Zelle 7\n≤", first["id"])


UNUSABLE = [
    ("mode", "all"),
    ("preview", "maybe"),
    ("reference", "x" * 1001),
    ("reference", "a\0b"),
    ("parent", "bat_unknown"),
    ("parent", "x" * 200),
    ("max_claims", "-1"),
    ("max_claims", "2.5"),
    ("max_claims", "99999999999999999999"),
    *(("activate_on", day) for day in ("", "soon", "20270131", "2027-02-30", "1800057600", "2027-01-31T00:00:00")),
]


def test_an_option_that_cannot_be_used_is_refused(api: httpx2.Client, tenant: Tenant) -> None:
    for option, value in UNUSABLE:
        answer = api.post(tenant.uploads, params={option: value}, files={"file": ("a.csv", CSV)})
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid-request"), option
    assert api.get("/v1/claim-batches").json()["items"] == []


def test_too_many_waiting_batches_are_refused_with_a_time_to_come_back(settings: Settings, tenant: Tenant) -> None:
    with running_api_with(settings, max_waiting_batches=2) as url, client_of(url, tenant) as api:
        for _ in range(2):
            assert api.post(tenant.uploads, files={"file": ("a.csv", CSV)}).status_code == 202
        answer = api.post(tenant.uploads, files={"file": ("a.csv", CSV)})
    assert (answer.status_code, answer.json()["type"]) == (429, "too-many-waiting")
    assert int(answer.headers["Retry-After"]) > 0
