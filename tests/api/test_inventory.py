"""Inventory over HTTP: what comes in, and what is held."""

import httpx2

from tests.api.serving import Tenant
from worker.batches.work import run_resolve
from worker.runtime import Runtime

CSV = {"Content-Type": "text/csv"}
INVENTORY = b"device_id,kit_id,prepaid_months\nSNS-1,KIT-1,12\nSNS-2,KIT-1,12\nSNS-3,,12\n"


def test_an_import_tells_what_it_added(api: httpx2.Client) -> None:
    first = api.post("/v1/inventory-imports", content=INVENTORY, headers=CSV)
    again = api.post("/v1/inventory-imports", files={"file": ("i.csv", INVENTORY)})
    assert (first.status_code, first.json()) == (200, {"devices_new": 3, "devices_unchanged": 0, "kits_new": 1})
    assert again.json() == {"devices_new": 0, "devices_unchanged": 3, "kits_new": 0}


def test_conflicts_import_nothing(api: httpx2.Client) -> None:
    answer = api.post("/v1/inventory-imports", content=INVENTORY + b"SNS-3,KIT-2,12\nSNS-4,,12\n", headers=CSV)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "inventory-conflict")
    assert all(set(error) == {"line", "detail"} for error in problem["errors"])
    assert api.get("/v1/claim-info", params={"identifier": "SNS-4"}).status_code == 404


def test_what_is_held_is_listed_page_by_page(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    api.post("/v1/inventory-imports", content=INVENTORY, headers=CSV).raise_for_status()
    assert api.get("/v1/claim-info", params={"identifier": "KIT-1"}).json()["claimable"] == 2
    batch = api.post(tenant.uploads, json={"kit_ids": ["kit-1"], "device_ids": ["SNS-3"]}).json()
    run_resolve(runtime, batch["id"])
    held, cursor = [], None
    while True:
        options = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = api.get(f"/v1/projects/{tenant.project_id}/devices", params=options).json()
        held += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(each["device_id"] for each in held) == ["SNS-1", "SNS-2", "SNS-3"]
    assert {each["batch_id"] for each in held} == {batch["id"]}
    assert api.get("/v1/devices/sns-2").json()["kit_id"] == "KIT-1"
    asked = api.post("/v1/claim-info", json={"identifier": "KIT-1"}).json()
    assert (asked["claimable"], asked["already_yours"]) == (0, 2)


def test_batches_are_listed_newest_first(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    made = [api.post(tenant.uploads, json={"device_ids": [f"SNS-{number}"]}).json()["id"] for number in range(5)]
    run_resolve(runtime, made[0])
    first = api.get("/v1/claim-batches", params={"limit": 3}).json()
    second = api.get("/v1/claim-batches", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None
    done = api.get("/v1/claim-batches", params={"state": "completed", "project_id": tenant.project_id}).json()
    assert [each["id"] for each in done["items"]] == [made[0]]
