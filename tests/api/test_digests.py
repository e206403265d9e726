"""Digests over HTTP."""

import httpx2

from api_stub.models.digests import Digest, DigestPage
from tests.api.serving import Tenant
from tests.clock import pass_time
from worker.batches.work import run_resolve
from worker.digests import write_digests
from worker.runtime import Runtime


def digests_of(tenant: Tenant) -> str:
    """Where the tenant's digests are."""
    return f"/v1/organizations/{tenant.organization_id}/digests"


def test_a_digest_is_read_as_a_list_a_document_and_a_table(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime
) -> None:
    batch = api.post(tenant.uploads, json={"device_ids": ["SNS-1"]}).json()["id"]
    run_resolve(runtime, batch)
    pass_time(runtime, days=1)
    assert write_digests(runtime) == 1
    (newest,) = api.get(digests_of(tenant)).raise_for_status().json()["items"]
    found = api.get(newest["links"]["self"]).raise_for_status()
    Digest.model_validate_json(found.content)
    assert (found.json()["totals"], found.json()["files"][0]["batch_id"]) == (newest["totals"], batch)
    table = api.get(found.json()["links"]["csv"]).raise_for_status()
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert table.headers["Content-Disposition"] == f'attachment; filename="digest-{newest["date"]}.csv"'
    assert "failures,not_found,,1" in table.content.decode("utf-8-sig").splitlines()


def test_digests_are_paged(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    for _ in range(2):
        pass_time(runtime, days=1)
        write_digests(runtime)
    first = DigestPage.model_validate_json(api.get(digests_of(tenant), params={"limit": 1}).content)
    rest = api.get(digests_of(tenant), params={"cursor": first.next_cursor}).json()
    assert [each["date"] for each in rest["items"]] < [first.items[0].date.isoformat()]
    assert rest["next_cursor"] is None


def test_what_is_no_digest_of_the_callers_is_refused(api: httpx2.Client, tenant: Tenant) -> None:
    own = digests_of(tenant)
    assert api.get(f"{own}/2026-01-01").status_code == 404
    assert api.get(f"{own}/2026-01-01.csv").status_code == 404
    assert api.get(f"{own}/yesterday").status_code == 422
    assert api.get(f"{own}/2026-13-01.csv").status_code == 422
    assert api.get(own, params={"cursor": "x"}).status_code == 422
    assert api.get(f"{own}x/2026-01-01").json()["type"] == "not-found"
    assert api.get("/v1/organizations/org_other/digests").status_code == 404
