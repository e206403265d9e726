"""Endpoints over HTTP: made, shown to whom, changed, refused."""

from typing import Final

import httpx2
from sqlalchemy import text

from tests.api.endpoints.making import Document, make
from tests.api.serving import Tenant, client_of, make_tenant, running_api_with
from tests.receiver import Receiver
from worker import accounts
from worker.notifications.endpoints import MOST_ENDPOINTS
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Role

IMPOSSIBLE: Final[list[Document]] = [
    {"target": "ftp://example.com"},
    {"target": "https://user@example.com"},
    {"target": "https://example.com", "events": []},
    {"target": "https://example.com", "events": ["ping"]},
    {"target": "https://example.com", "events": ["batch.imagined"]},
    {"target": "https://example.com", "description": "x" * 201},
    {"target": "https://example.com", "kind": "pigeon"},
    {"target": "https://example.com", "more": 1},
    {"target": "a b@example.com", "kind": "email"},
    {"target": "a@example.com\r\nBcc: b@example.com", "kind": "email"},
    {"target": "a@localhost", "kind": "email"},
    {"target": "a@example.com,b@example.com", "kind": "email"},
    {"target": "https://example.com", "kind": "email"},
    {"target": 1},
    {},
]


def project_token(runtime: Runtime, tenant: Tenant, api_url: str, role: Role, project: str) -> httpx2.Client:
    """A client whose token is for one project."""
    secret = accounts.create_token(runtime, tenant.organization_id, "limited", [role], [project]).secret
    return client_of(api_url, Tenant(tenant.organization_id, project, secret))


def test_the_secret_is_shown_once_and_stored_sealed(
    api: httpx2.Client, endpoints: str, runtime: Runtime, receiver: Receiver
) -> None:
    made = make(api, endpoints, receiver.url)
    assert made["secret"].startswith("whsec_")
    for answer in (api.get(endpoints), api.get(made["links"]["self"])):
        assert made["secret"] not in answer.text
    with runtime.reading() as connection:
        (sealed,) = connection.execute(text("select sealed from endpoint_secret")).scalars()
    assert len(sealed) == 12 + 32 + 16
    assert "secret" not in make(api, endpoints, "a@example.com", kind="email")


def test_what_is_given_changes_and_the_rest_stays(
    api: httpx2.Client, endpoints: str, tenant: Tenant, receiver: Receiver
) -> None:
    own = make(api, endpoints, receiver.url, description=" ERP ")["links"]["self"]
    assert api.patch(own, json={"events": ["batch.rejected", "batch.failed", "batch.failed"]}).json()["events"] == [
        "batch.rejected",
        "batch.failed",
    ]
    changed = api.patch(own, json={"project_id": tenant.project_id, "target": f"{receiver.url}/other"}).json()
    assert (changed["project_id"], changed["target"]) == (tenant.project_id, f"{receiver.url}/other")
    assert changed["description"] == "ERP"
    assert api.patch(own, json={"project_id": None}).json()["project_id"] is None
    assert api.patch(own, json={}).json()["events"] == ["batch.rejected", "batch.failed"]


def test_what_cannot_be_told_anything_is_refused(api: httpx2.Client, endpoints: str) -> None:
    for wish in IMPOSSIBLE:
        answer = api.post(endpoints, json={"kind": "webhook", **wish})
        assert answer.status_code == 422, (wish, answer.text)
    assert api.get(endpoints).json()["items"] == []


def test_private_addresses_are_refused_unless_a_setting_allows_them(
    settings: Settings, tenant: Tenant, endpoints: str
) -> None:
    with (
        running_api_with(settings, webhook_allow_private=False) as url,
        client_of(url, tenant) as api,
    ):
        for target in ("https://127.0.0.1/", "https://localhost:8443/", "http://hooks.example.com/"):
            refused = api.post(endpoints, json={"target": target})
            assert (refused.status_code, refused.json()["parameter"]) == (422, "target")
        own = make(api, endpoints, "https://hooks.example.com/")["links"]["self"]
        assert api.patch(own, json={"target": "https://[::1]/"}).status_code == 422


def test_administrators_change_and_others_see_what_is_of_their_projects(
    api: httpx2.Client, api_url: str, endpoints: str, tenant: Tenant, runtime: Runtime
) -> None:
    own = make(api, endpoints, "https://hooks.example.com/s3cret?key=1", project_id=tenant.project_id)
    of_all = make(api, endpoints, "https://hooks.example.com/other")
    other_project = accounts.create_project(runtime, tenant.organization_id, "Cellars")["id"]
    with project_token(runtime, tenant, api_url, Role.PROJECT_ADMIN, tenant.project_id) as limited:
        (seen,) = limited.get(endpoints).json()["items"]
        assert (seen["id"], seen["target"]) == (own["id"], "https://hooks.example.com/…")
        assert limited.get(of_all["links"]["self"]).status_code == 404
        assert limited.get(f"{own['links']['self']}/deliveries").status_code == 200
        acts = [limited.post(f"{own['links']['self']}/{act}") for act in ("ping", "secrets", "enable", "replay")]
        acts += [limited.delete(own["links"]["self"]), limited.patch(own["links"]["self"], json={})]
        acts += [limited.post(endpoints, json={"target": "https://a.example"})]
        assert {answer.status_code for answer in acts} == {403}
    with project_token(runtime, tenant, api_url, Role.VIEWER, other_project) as elsewhere:
        assert elsewhere.get(endpoints).json()["items"] == []
        assert elsewhere.get(own["links"]["self"]).status_code == 404


def test_another_organization_sees_and_changes_nothing(
    api: httpx2.Client, api_url: str, endpoints: str, tenant: Tenant, runtime: Runtime
) -> None:
    own = make(api, endpoints, "https://hooks.example.com/")["links"]["self"]
    delivery = api.post(f"{own}/ping").json()["id"]
    stranger = make_tenant(runtime)
    with client_of(api_url, stranger) as other:
        answers = [other.get(endpoints), other.post(endpoints, json={"target": "https://a.example"}), other.get(own)]
        answers += [other.delete(own), other.patch(own, json={}), other.get(f"{own}/deliveries")]
        answers += [other.post(f"{own}/{act}") for act in ("ping", "secrets", "enable", "replay")]
        answers += [other.post(f"/v1/deliveries/{delivery}/replay")]
        theirs = f"/v1/organizations/{stranger.organization_id}/endpoints"
        answers += [other.post(theirs, json={"target": "https://a.example", "project_id": tenant.project_id})]
    assert {answer.status_code for answer in answers} == {404}


def test_there_is_a_limit_and_deleted_ones_do_not_count(api: httpx2.Client, endpoints: str) -> None:
    for number in range(MOST_ENDPOINTS):
        last = make(api, endpoints, f"a{number}@example.com", kind="email")
    refused = api.post(endpoints, json={"target": "https://a.example"})
    assert (refused.status_code, refused.json()["type"]) == (409, "too-many-endpoints")
    api.delete(last["links"]["self"]).raise_for_status()
    make(api, endpoints, "https://a.example")
