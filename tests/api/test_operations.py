"""Reverting a batch and planning subscriptions over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.api.serving import Tenant, client_of, make_tenant
from tests.claims import add_devices, carry_out, holders
from tests.clock import pass_time
from tests.subscriptions import periods
from worker import accounts
from worker.runtime import Runtime
from worker.states import Role

TYPES = {"csv": {"Content-Type": "text/csv"}, "json": {"Content-Type": "application/json"}}


@pytest.fixture
def batch(api: httpx2.Client, runtime: Runtime, tenant: Tenant) -> dict[str, Any]:
    """A batch that has claimed two devices."""
    add_devices(runtime, ["a1", "a2"])
    return done(api, runtime, api.post(tenant.uploads, content=b"a1\na2\n", headers=TYPES["csv"]))


def done(api: httpx2.Client, runtime: Runtime, answer: httpx2.Response) -> dict[str, Any]:
    """The batch that was accepted, when it has ended."""
    assert answer.status_code == 202, answer.text
    carry_out(runtime, answer.json()["id"])
    document: dict[str, Any] = api.get(answer.headers["Location"]).json()
    return document


def plans(tenant: Tenant) -> str:
    return f"/v1/projects/{tenant.project_id}/plan-batches"


def test_a_batch_is_reverted_by_a_child(api: httpx2.Client, runtime: Runtime, batch: dict[str, Any]) -> None:
    answer = api.post(f"/v1/claim-batches/{batch['id']}/revert")
    child = answer.json()
    assert (child["operation"], child["parent"], child["state"]) == ("revert", batch["id"], "received")
    assert api.get(f"/v1/claim-batches/{batch['id']}").json()["state"] == "reverting"
    assert api.get(f"/v1/claim-batches/{child['id']}/input").json()["type"] == "results-not-ready"
    assert api.get(f"/v1/claim-batches/{batch['id']}/results").json()["type"] == "results-not-ready"
    assert done(api, runtime, answer)["totals"] == {"released": 2}
    results = api.get(f"/v1/claim-batches/{child['id']}/results").json()["items"]
    assert [(row["row"], row["input"], row["outcome"]) for row in results] == [
        (1, {"device_id": "a1"}, "released"),
        (2, {"device_id": "a2"}, "released"),
    ]
    assert api.get(f"/v1/claim-batches/{batch['id']}").json()["state"] == "reverted"
    assert len(api.get(f"/v1/claim-batches/{batch['id']}/results").json()["items"]) == 2
    assert holders(runtime) == {}


def test_a_revert_is_carried_out_once_for_each_key(api: httpx2.Client, runtime: Runtime, batch: dict[str, Any]) -> None:
    path, key = f"/v1/claim-batches/{batch['id']}/revert", {"Idempotency-Key": "undo"}
    first = api.post(path, headers=key)
    again = api.post(path, headers=key)
    assert (again.json(), again.headers["Location"]) == (first.json(), first.headers["Location"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = api.post(path)
    assert (other.status_code, other.json()["type"]) == (409, "wrong-state")
    done(api, runtime, first)
    assert api.post(path, headers=key).json() == first.json()


def test_a_revert_a_second_too_late_says_so(api: httpx2.Client, runtime: Runtime, batch: dict[str, Any]) -> None:
    pass_time(runtime, minutes=15, seconds=1)
    answer = api.post(f"/v1/claim-batches/{batch['id']}/revert")
    assert (answer.status_code, answer.json()["type"]) == (409, "hold-window-over")


def test_a_plan_names_its_devices_in_one_of_three_ways(
    api: httpx2.Client, runtime: Runtime, tenant: Tenant, batch: dict[str, Any]
) -> None:
    day = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    listed = api.post(plans(tenant), params={"activate": day}, content=b"a1\na3\n", headers=TYPES["csv"])
    assert done(api, runtime, listed)["totals"] == {"scheduled": 1, "not_found": 1}
    ids = {"device_ids": ["a2"]}
    assert done(api, runtime, api.post(plans(tenant), params={"activate": day}, json=ids))["totals"] == {"scheduled": 1}
    form = {"file": ("plan.csv", b"device_id\na1\n", "text/csv")}
    sent = done(api, runtime, api.post(plans(tenant), params={"activate": "now"}, files=form))
    assert (sent["file_name"], sent["activate_on"]) == ("plan.csv", None)
    of_batch = api.post(plans(tenant), params={"activate": day, "batch_id": batch["id"], "reference": "May"})
    planned = done(api, runtime, of_batch)
    assert (planned["parent"], planned["reference"], planned["activate_on"]) == (batch["id"], "May", day)
    assert done(api, runtime, api.post(plans(tenant), params={"activate": "now", "all": True}))["rows_total"] == 2
    assert set(periods(runtime)) == {"a1", "a2"}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"activate": "tomorrow"},
        {"activate": "1800000000"},
        {"activate": "2020-01-01", "all": "true"},
        {"activate": "2099-01-01", "all": "true"},
        {"activate": "now"},
        {"activate": "now", "all": "true", "batch_id": "bat_1"},
        {"activate": "now", "batch_id": "bat_1"},
        {"activate": "now", "all": "true", "mode": "atomic"},
        {"activate": "now", "all": "true", "preview": "true"},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(api: httpx2.Client, tenant: Tenant, params: dict[str, str]) -> None:
    answer = api.post(plans(tenant), params=params)
    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-request")


def test_a_body_beside_another_choice_is_refused(api: httpx2.Client, tenant: Tenant) -> None:
    params = {"activate": "now", "all": "true"}
    assert api.post(plans(tenant), params=params, content=b"a1\n", headers=TYPES["csv"]).status_code == 422


def test_a_plan_is_made_once_for_each_key(api: httpx2.Client, tenant: Tenant) -> None:
    params, key = {"activate": "now", "all": "true"}, {"Idempotency-Key": "start"}
    first, again = (api.post(plans(tenant), params=params, headers=key) for _ in range(2))
    assert again.json() == first.json()
    assert api.post(plans(tenant), params={**params, "reference": "x"}, headers=key).status_code == 422


def test_viewers_change_nothing_and_strangers_find_nothing(
    api: httpx2.Client, api_url: str, runtime: Runtime, tenant: Tenant, batch: dict[str, Any]
) -> None:
    secret = accounts.create_token(runtime, tenant.organization_id, "guest", [Role.VIEWER]).secret
    viewer = Tenant(tenant.organization_id, tenant.project_id, secret)
    for client, status in ((client_of(api_url, viewer), 403), (client_of(api_url, make_tenant(runtime)), 404)):
        with client:
            assert client.post(f"/v1/claim-batches/{batch['id']}/revert").status_code == status
            assert client.post(plans(tenant), params={"activate": "now", "all": True}).status_code == status
    assert api.get(f"/v1/claim-batches/{batch['id']}").json()["state"] == "completed"
