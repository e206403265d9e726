"""Whatever goes wrong is told by a problem document with a known type."""

import httpx2
import pytest
import structlog
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from api_stub.problems import problem_types
from tests.api.serving import Tenant
from worker import batches
from worker.runtime import Runtime

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}


def assert_problem(answer: httpx2.Response, status: int, problem_type: str) -> None:
    """The answer is a whole problem document of this type."""
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, problem_type)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.keys() >= MEMBERS
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["instance"] == answer.url.raw_path.decode().partition("?")[0]


def test_each_refusal_is_a_problem_document(api: httpx2.Client, tenant: Tenant) -> None:
    own = "/v1/claim-batches"
    batch = api.post(tenant.uploads, files={"file": ("a.csv", b"device_id\nSNS-1\n")}).json()["links"]["self"]
    assert_problem(api.get("/nowhere"), 404, "not-found")
    assert_problem(api.get("/v1/nowhere"), 404, "not-found")
    assert_problem(api.get("/a%00b"), 404, "not-found")
    assert_problem(api.get(f"{own}/bat_%00"), 404, "not-found")
    assert_problem(api.get(f"{own}/bat_{'x' * 3000}"), 404, "not-found")
    assert_problem(api.get(f"{own}/%ff%fe/results"), 404, "not-found")
    assert_problem(api.get("/static-offline-docs/nothing.js"), 404, "not-found")
    assert_problem(api.delete(own), 405, "method-not-allowed")
    assert_problem(api.get(own, params={"limit": 0}), 422, "invalid-request")
    assert_problem(api.get(own, params={"limit": 1001}), 422, "invalid-request")
    assert_problem(api.get(own, params={"state": "lost"}), 422, "invalid-request")
    assert_problem(api.get(own, params={"cursor": "abc"}), 422, "invalid-request")
    assert_problem(api.get(own, params={"cursor": "a\0b"}), 422, "invalid-request")
    assert_problem(api.get(own, params={"project_id": "prj_none"}), 404, "not-found")
    assert_problem(api.get(f"{batch}/results", params={"outcome": "lost"}), 422, "invalid-request")
    assert_problem(api.get(f"{batch}/results.csv", params={"only": "claimed"}), 422, "invalid-request")
    assert_problem(api.get(f"{batch}/results"), 409, "results-not-ready")
    assert_problem(api.post(f"{batch}/confirm"), 409, "wrong-state")
    assert_problem(api.post(f"{batch}/confirm", params={"require_unchanged": "x"}), 422, "invalid-request")
    assert_problem(api.get("/v1/claim-info"), 422, "invalid-request")
    assert_problem(api.post("/v1/claim-info", json={"identifier": 7}), 422, "invalid-json")
    assert_problem(api.post("/v1/claim-info", json={"identifier": "a\0b"}), 422, "invalid-json")
    assert_problem(api.get("/v1/devices/SNS-none"), 404, "not-found")


def test_a_method_that_is_not_taken_is_told_which_are(api: httpx2.Client) -> None:
    assert api.delete("/v1/claim-batches").headers["Allow"] == "GET"


def test_a_sane_request_id_is_kept_and_another_replaced(api: httpx2.Client) -> None:
    for given, kept in (("order-4711", True), ("x" * 129, False), ("a b", False), ("", False)):
        answer = api.get("/nowhere", headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"] != ""


def test_a_surprise_is_answered_without_its_inside_which_the_logs_have(
    api: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object) -> None:
        raise ZeroDivisionError("password=geheim")

    monkeypatch.setattr(batches, "get_batch", surprise)
    with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        answer = api.get("/v1/claim-batches/bat_x", headers={"X-Request-Id": "find-me"})
    assert_problem(answer, 500, "internal-error")
    assert "geheim" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert [line["request_id"] for line in lines if line.get("exc_info")] == ["find-me"]


def test_a_lost_database_is_unavailable_and_comes_back(api: httpx2.Client, runtime: Runtime, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    server = runtime.engine.url.set(database="claimd")
    runtime.close()
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"alter database {name} allow_connections false"))
        connection.execute(
            text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"), {"name": name}
        )
        answer = api.get("/v1/claim-batches")
        assert_problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert_problem(api.get("/readyz"), 503, "unavailable")
        assert api.get("/healthz").status_code == 200
        connection.execute(text(f"alter database {name} allow_connections true"))
    admin.dispose()
    assert api.get("/v1/claim-batches").status_code == 200
    assert api.get("/readyz").status_code == 200


def test_every_type_of_problem_is_listed(api: httpx2.Client) -> None:
    listed = api.get("/problems").json()["items"]
    assert {each["type"] for each in listed} == {each.type for each in problem_types()}
    assert {"results-not-ready", "idempotency-key-reused", "inventory-conflict", "too-many-waiting"} <= {
        each["type"] for each in listed
    }
    assert all(each["title"] and 400 <= each["status"] < 600 for each in listed)
