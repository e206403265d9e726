"""The description of the API is valid, complete and true."""

from typing import Any

import httpx2
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api_stub.problems import problem_types
from tests.api.serving import Tenant
from worker.batches.work import run_resolve
from worker.runtime import Runtime

CONTRACT = {
    "post /v1/projects/{project_id}/claim-batches",
    "get /v1/claim-batches",
    "get /v1/claim-batches/{batch_id}",
    "get /v1/claim-batches/{batch_id}/results",
    "get /v1/claim-batches/{batch_id}/kits",
    "get /v1/claim-batches/{batch_id}/results.csv",
    "get /v1/claim-batches/{batch_id}/results.jsonl",
    "get /v1/claim-batches/{batch_id}/input",
    "get /v1/claim-batches/{batch_id}/events",
    "post /v1/claim-batches/{batch_id}/confirm",
    "post /v1/claim-batches/{batch_id}/cancel",
    "post /v1/claim-batches/{batch_id}/resume",
    "post /v1/claim-batches/{batch_id}/revert",
    "post /v1/projects/{project_id}/plan-batches",
    "get /v1/claim-info",
    "post /v1/claim-info",
    "get /v1/projects/{project_id}/devices",
    "get /v1/devices/{device_id}",
    "get /v1/organizations/{organization_id}/subscriptions",
    "get /v1/organizations/{organization_id}/subscriptions/devices",
    "get /v1/organizations/{organization_id}/subscriptions.csv",
    "post /v1/inventory-imports",
    "get /healthz",
    "get /readyz",
    "get /metrics",
}
Document = dict[str, Any]


@pytest.fixture
def description(api: httpx2.Client) -> Document:
    """The API's description of itself."""
    document: Document = api.get("/openapi.json").json()
    return document


def checker(description: Document, schema: Document) -> Any:
    """What checks documents against a schema of the description."""
    resource = Resource.from_contents(description, default_specification=DRAFT202012)
    local = {"$ref": "urn:api" + schema["$ref"]} if "$ref" in schema else schema
    return OAS31Validator(local, registry=Registry().with_resource("urn:api", resource))


def test_the_description_is_valid(description: Document) -> None:
    validate(description)
    assert description["openapi"].startswith("3.1")


def test_every_route_of_the_contract_is_described(description: Document) -> None:
    found = {f"{method} {path}" for path, operations in description["paths"].items() for method in operations}
    assert found >= CONTRACT


def test_every_example_fits_its_schema(description: Document) -> None:
    for name, schema in description["components"]["schemas"].items():
        for example in schema.get("examples", []):
            checker(description, {"$ref": f"#/components/schemas/{name}"}).validate(example)
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                for media in response.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        checker(description, media["schema"]).validate(example["value"])


def test_every_problem_is_described_as_a_problem_document(description: Document) -> None:
    described = set()
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert set(response["content"]) == {"application/problem+json"}
                    described |= set(response["content"]["application/problem+json"]["examples"])
    # These can happen anywhere.
    general = {"bad-request", "headers-too-large", "internal-error", "method-not-allowed"}
    assert {each.type for each in problem_types()} - described <= general | {"already-exists"}


def test_real_answers_fit_the_description(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime, description: Document
) -> None:
    inventory = b"device_id,kit_id,prepaid_months\nSNS-1,,12\nSNS-2,KIT-1,12\n"
    api.post("/v1/inventory-imports", content=inventory, headers={"Content-Type": "text/csv"}).raise_for_status()
    csv = b"identifier\nSNS-1\nKIT-1\nSNS-1\nnothing\n"
    batch = api.post(tenant.uploads, files={"file": ("a.csv", csv)}).json()
    run_resolve(runtime, batch["id"])
    own = f"/v1/claim-batches/{batch['id']}"
    endpoints = f"/v1/organizations/{tenant.organization_id}/endpoints"
    endpoint = api.post(endpoints, json={"target": "https://hooks.example.com/"}).json()["links"]["self"]
    api.post(f"{endpoint}/ping").raise_for_status()
    organization = f"/v1/organizations/{tenant.organization_id}"
    answers = {
        endpoints: "/v1/organizations/{organization_id}/endpoints",
        endpoint: "/v1/endpoints/{endpoint_id}",
        f"{endpoint}/deliveries": "/v1/endpoints/{endpoint_id}/deliveries",
        "/v1/claim-batches": "/v1/claim-batches",
        own: "/v1/claim-batches/{batch_id}",
        f"{own}/results": "/v1/claim-batches/{batch_id}/results",
        f"{own}/kits": "/v1/claim-batches/{batch_id}/kits",
        f"{own}/manifest": "/v1/claim-batches/{batch_id}/manifest",
        "/v1/signing-key": "/v1/signing-key",
        "/v1/claim-info?identifier=KIT-1": "/v1/claim-info",
        "/v1/claim-info?identifier=SNS-1": "/v1/claim-info",
        f"/v1/projects/{tenant.project_id}/devices": "/v1/projects/{project_id}/devices",
        "/v1/devices/SNS-1": "/v1/devices/{device_id}",
        f"{organization}/subscriptions": "/v1/organizations/{organization_id}/subscriptions",
        f"{organization}/subscriptions/devices": "/v1/organizations/{organization_id}/subscriptions/devices",
        "/problems": "/problems",
        "/readyz": "/readyz",
    }
    for address, path in answers.items():
        answer = api.get(address)
        assert answer.status_code == 200, answer.text
        media = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        checker(description, media["schema"]).validate(answer.json())
        assert answer.json().get("items") != []


def test_the_documentation_needs_no_other_host(api: httpx2.Client, tenant: Tenant) -> None:
    page = api.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    for line in page.text.split('"'):
        if line.startswith("/static-offline-docs/"):
            assert api.get(line).status_code == 200
    assert api.get("/", follow_redirects=False).headers["Location"] == "/docs"
    assert tenant.token not in page.text
