"""What operators have paused or drained, as clients and monitors see it."""

import httpx2

from tests.api.serving import Tenant, client_of, make_tenant, running_api_with
from worker.operations.halts import halt, lift
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Halt, Queue

CSV = {"file": ("a.csv", b"device_id\nSNS-1\n")}


def test_health_and_metrics_tell_what_is_halted(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    assert api.get("/readyz").json()["halts"] == []
    assert 'claimd_halts{kind="pause",organization="",queue=""} 0.0' in api.get("/metrics").text
    halt(runtime, Halt.PAUSE, None, None, "an index is built")
    halt(runtime, Halt.PAUSE, Queue.BULK, None, None)
    halt(runtime, Halt.DRAIN, None, tenant.organization_id, None)
    ready = httpx2.get(f"{api.base_url}/readyz")
    assert ready.status_code == 200
    assert "index" not in ready.text
    found = [(each["kind"], each["queue"], each["organization_id"]) for each in ready.json()["halts"]]
    assert found == [("pause", None, None), ("pause", "bulk", None), ("drain", None, tenant.organization_id)]
    metrics = api.get("/metrics").text
    for kind, queue, organization in (("pause", "", ""), ("pause", "bulk", ""), ("drain", "", tenant.organization_id)):
        assert f'claimd_halts{{kind="{kind}",organization="{organization}",queue="{queue}"}} 1.0' in metrics


def test_a_drained_organization_is_told_to_come_back_later(
    api: httpx2.Client, api_url: str, tenant: Tenant, runtime: Runtime
) -> None:
    halt(runtime, Halt.DRAIN, None, tenant.organization_id, None)
    refused = api.post(tenant.uploads, files=CSV)
    assert (refused.status_code, refused.json()["type"]) == (503, "draining")
    assert int(refused.headers["Retry-After"]) > 0
    other = make_tenant(runtime)
    with client_of(api_url, other) as client:
        assert client.post(other.uploads, files=CSV).status_code == 202
    lift(runtime, None, None)
    assert api.post(tenant.uploads, files=CSV).status_code == 202


def test_what_all_have_waiting_refuses_everybody_who_comes_then(
    settings: Settings, tenant: Tenant, runtime: Runtime
) -> None:
    other = make_tenant(runtime)
    with running_api_with(settings, max_waiting_in_all=2) as url:
        with client_of(url, tenant) as api:
            assert [api.post(tenant.uploads, files=CSV).status_code for _ in range(2)] == [202, 202]
        with client_of(url, other) as api:
            refused = api.post(other.uploads, files=CSV)
    assert (refused.status_code, refused.json()["type"]) == (429, "too-many-waiting")
    assert int(refused.headers["Retry-After"]) > 0
