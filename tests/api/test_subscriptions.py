"""Prepaid time over HTTP: what it adds up to, device by device, and for the books."""

import httpx2
import pytest

from tests.api.serving import Tenant
from worker.batches.work import run_resolve
from worker.runtime import Runtime

INVENTORY = b"device_id,prepaid_months\nSNS-1,12\nSNS-2,12\nSNS-3,60\n"


@pytest.fixture
def base(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> str:
    """The organization's address; three of its devices are scheduled."""
    api.post("/v1/inventory-imports", content=INVENTORY, headers={"Content-Type": "text/csv"}).raise_for_status()
    batch = api.post(tenant.uploads, json={"device_ids": ["SNS-1", "SNS-2", "SNS-3"]}).json()
    run_resolve(runtime, batch["id"])
    return f"/v1/organizations/{tenant.organization_id}/subscriptions"


def test_counts_pages_and_csv_say_the_same(api: httpx2.Client, tenant: Tenant, base: str) -> None:
    counts = api.get(base).json()
    assert counts["states"] == {"scheduled": 3, "active": 0, "expired": 0}
    assert (sum(counts["planned"].values()), counts["starts"], counts["ends"]) == (3, {}, {})
    assert [each["project_id"] for each in counts["projects"]] == [tenant.project_id]
    first = api.get(f"{base}/devices", params={"limit": 2}).json()
    second = api.get(f"{base}/devices", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["device_id"] for each in first["items"] + second["items"]] == ["SNS-1", "SNS-2", "SNS-3"]
    assert second["next_cursor"] is None
    answer = api.get(f"{base}.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [line.split(",")[0] for line in answer.text.splitlines()] == ["device_id", "SNS-1", "SNS-2", "SNS-3"]
    assert api.get("/v1/devices/SNS-3").json()["subscription"]["state"] == "scheduled"


def test_filters_narrow_both(api: httpx2.Client, base: str) -> None:
    for options in ({"state": "active"}, {"ends_before": "2031-01-01T00:00:00Z"}):
        assert api.get(f"{base}/devices", params=options).json()["items"] == []
        assert len(api.get(f"{base}.csv", params=options).text.splitlines()) == 1
    assert api.get(f"{base}/devices", params={"project_id": "prj_none"}).status_code == 404
    assert api.get(f"{base}/devices", params={"ends_before": "2031-01-01T00:00:00"}).status_code == 422
    assert api.get(f"{base}/devices", params={"state": "asleep"}).status_code == 422


@pytest.mark.usefixtures("base")
def test_another_organization_does_not_exist(api: httpx2.Client) -> None:
    for part in ("", "/devices", ".csv"):
        answer = api.get(f"/v1/organizations/org_none/subscriptions{part}")
        assert (answer.status_code, answer.json()["type"]) == (404, "not-found")
