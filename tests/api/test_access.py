"""Who may see and do what: first the token, then what is visible, then what is allowed."""

import httpx2
import pytest

from tests.api.serving import Tenant, client_of, make_tenant
from worker import accounts
from worker.runtime import Runtime
from worker.states import Role

CSV = {"file": ("a.csv", b"device_id\nSNS-1\n")}
PUBLIC = {"/healthz", "/readyz", "/metrics", "/problems", "/v1/signing-key"}


def test_nothing_is_answered_without_a_valid_token(api_url: str, tenant: Tenant) -> None:
    paths = httpx2.get(f"{api_url}/openapi.json").json()["paths"]
    credentials = [{}, {"Authorization": "Bearer claimd_unknown"}, {"Authorization": f"Basic {tenant.token}"}]
    for path, operations in paths.items():
        if path in PUBLIC:
            continue
        for method in operations:
            for headers in credentials:
                # Everything else is wrong, too, and is not looked at.
                headers_sent = {**headers, "Content-Type": "application/json", "Idempotency-Key": "a b"}
                answer = httpx2.request(
                    method, f"{api_url}{path}?limit=x&outcome=x&mode=x", content=b"{", headers=headers_sent
                )
                assert (answer.status_code, answer.json()["type"]) == (401, "unauthenticated"), (method, path)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_is_worth_nothing(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    assert api.get("/v1/claim-batches").status_code == 200
    (token,) = accounts.list_tokens(runtime, tenant.organization_id)
    accounts.revoke_token(runtime, token["id"])
    assert api.get("/v1/claim-batches").status_code == 401


def test_what_belongs_to_another_organization_does_not_exist(
    api_url: str, api: httpx2.Client, tenant: Tenant, runtime: Runtime
) -> None:
    batch = api.post(tenant.uploads, files=CSV).json()
    stranger = make_tenant(runtime)
    with client_of(api_url, stranger) as other:
        own = f"/v1/claim-batches/{batch['id']}"
        answers = [
            other.get(own),
            *[other.get(f"{own}/{part}") for part in ("results", "kits", "results.csv", "results.jsonl", "input")],
            other.get(f"{own}/events"),
            *[other.post(f"{own}/{act}") for act in ("confirm", "cancel", "resume")],
            other.get(f"/v1/projects/{tenant.project_id}/devices"),
            other.get("/v1/claim-batches", params={"project_id": tenant.project_id}),
            other.post(tenant.uploads, files=CSV),
        ]
        assert other.get("/v1/claim-batches").json()["items"] == []
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (404, "not-found"), answer.url


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MANUFACTURER])
def test_a_role_allows_its_own_things_only(api_url: str, tenant: Tenant, runtime: Runtime, role: Role) -> None:
    secret = accounts.create_token(runtime, tenant.organization_id, "limited", [role]).secret
    inventory = {"Content-Type": "text/csv"}
    with client_of(api_url, Tenant(tenant.organization_id, tenant.project_id, secret)) as api:
        upload = api.post(tenant.uploads, files=CSV)
        imported = api.post("/v1/inventory-imports", content=b"device_id\nSNS-1\n", headers=inventory)
    expected = {Role.VIEWER: (403, 403), Role.MANUFACTURER: (404, 200)}
    assert (upload.status_code, imported.status_code) == expected[role]
    assert {answer.json()["type"] for answer in (upload, imported) if answer.status_code == 403} <= {"forbidden"}
