"""Manifests and bundles over HTTP, and what is no longer kept."""

import io
import json
from pathlib import Path

import httpx2

from api_stub.problems import MEDIA_TYPE
from tests.api.serving import Tenant
from tests.api.test_downloads import finished
from tests.clock import pass_time
from worker.operations.retention import prune_old
from worker.proof import Manifest, read_public_key, verify_report
from worker.runtime import Runtime

CSV = b"device_id,Room\nSNS-1,2.15\nSNS-2,2.16\n"


def test_a_bundle_is_streamed_and_proven_with_the_key_of_the_api(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime, tmp_path: Path
) -> None:
    batch = finished(api, tenant, runtime, CSV, "a.csv")
    with api.stream("GET", f"{batch}/report.zip") as stream:
        assert stream.headers["Content-Type"] == "application/zip"
        assert "Content-Length" not in stream.headers
        assert stream.headers["Content-Disposition"].endswith('-report.zip"')
        (tmp_path / "report.zip").write_bytes(stream.read())
    (tmp_path / "a.csv").write_bytes(CSV)
    key = read_public_key(httpx2.get(f"{api.base_url}/v1/signing-key").text)
    assert verify_report(tmp_path / "report.zip", tmp_path / "a.csv", key).problems == []


def test_a_manifest_is_a_document(api: httpx2.Client, tenant: Tenant, runtime: Runtime, tmp_path: Path) -> None:
    batch = finished(api, tenant, runtime, CSV, "a.csv")
    links = api.get(batch).json()["links"]
    answer = api.get(links["manifest"])
    assert Manifest.model_validate(answer.json()).results_total == 2
    (tmp_path / "manifest.json").write_bytes(answer.content)
    (tmp_path / "results.jsonl").write_bytes(api.get(links["results.jsonl"]).content)
    assert verify_report(tmp_path / "manifest.json").problems == []


def test_reports_to_be_signed_are_refused_like_results(api: httpx2.Client, tenant: Tenant) -> None:
    batch = api.post(tenant.uploads, files={"file": ("a.csv", io.BytesIO(CSV))}).json()["links"]["self"]
    for part in ("manifest", "report.zip"):
        assert api.get(f"{batch}/{part}").json()["type"] == "results-not-ready"
        assert api.get(f"/v1/claim-batches/bat_x/{part}").status_code == 404
        assert httpx2.get(f"{api.base_url}{batch}/{part}").status_code == 401


def test_what_is_no_longer_kept_is_gone(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    batch = finished(api, tenant, runtime, CSV, "a.csv")
    pass_time(runtime, days=91)
    prune_old(runtime)
    gone = api.get(f"{batch}/input")
    assert (gone.status_code, gone.headers["Content-Type"]) == (410, MEDIA_TYPE)
    assert gone.json()["type"] == "input-pruned"
    assert "20" in gone.json()["detail"]
    results = api.get(f"{batch}/results").json()["items"]
    assert [(item["input"], item["line"], item["outcome"]) for item in results] == [(None, None, "not_found")] * 2
    assert json.loads(api.get(f"{batch}/results.jsonl").text.splitlines()[0]) == results[0]
    pass_time(runtime, days=310)
    prune_old(runtime)
    for part in ("results", "kits", "results.csv", "results.jsonl", "manifest", "report.zip"):
        assert api.get(f"{batch}/{part}").json()["type"] == "results-pruned", part
    document = api.get(batch).json()
    assert document["totals"] == {"not_found": 2}
    assert document["results_pruned_at"] > document["input_pruned_at"]
