"""Reports and uploads as files."""

import httpx2

from tests.api.serving import Tenant
from worker.batches.work import run_resolve
from worker.runtime import Runtime


def finished(api: httpx2.Client, tenant: Tenant, runtime: Runtime, content: bytes, name: str) -> str:
    """The address of a batch that is done."""
    batch = api.post(tenant.uploads, files={"file": (name, content)}).json()
    run_resolve(runtime, batch["id"])
    return str(batch["links"]["self"])


def test_reports_are_files_to_be_saved(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    batch = finished(api, tenant, runtime, b"Device ID;Raum\r\nSNS-1;\xc3\x9c1\r\n", "a.csv")
    number = batch.rpartition("/")[2]
    report = api.get(f"{batch}/results.csv")
    assert report.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert report.headers["Content-Disposition"] == f'attachment; filename="{number}-results.csv"'
    assert report.content.startswith("\ufeffDevice ID;Raum;row;line;outcome;".encode())
    failed = api.get(f"{batch}/results.csv", params={"only": "failed"})
    assert "failed" in failed.headers["Content-Disposition"]
    assert len(failed.text.splitlines()) == 2
    lines = api.get(f"{batch}/results.jsonl")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert lines.headers["X-Content-Type-Options"] == "nosniff"
    assert len(lines.text.splitlines()) == 1


def test_the_input_comes_back_under_its_name_byte_by_byte(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    content = "Raum;Device ID\r\nBüro;SNS-1\r\n".encode("cp1252")
    batch = finished(api, tenant, runtime, content, "räume ½.csv")
    answer = api.get(f"{batch}/input")
    assert answer.content == content
    assert answer.headers["Content-Type"] == "text/csv"
    assert "filename*=UTF-8''r%C3%A4ume%20%C2%BD.csv" in answer.headers["Content-Disposition"]


def test_a_large_report_is_streamed(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    rows = 30_000
    content = b"device_id\n" + b"".join(b"SNS-%d\n" % number for number in range(rows))
    batch = finished(api, tenant, runtime, content, "a.csv")
    with api.stream("GET", f"{batch}/results.csv") as stream:
        assert "Content-Length" not in stream.headers
        pieces = list(stream.iter_raw())
    assert len(pieces) > 2
    assert b"".join(pieces).count(b"\n") == rows + 1


def test_a_reader_who_leaves_early_costs_nothing(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    content = b"device_id\n" + b"".join(b"SNS-%d\n" % number for number in range(30_000))
    batch = finished(api, tenant, runtime, content, "a.csv")
    for _ in range(5):
        with api.stream("GET", f"{batch}/results.csv") as stream:
            next(stream.iter_raw())
    # Three connections would be gone by now if each had kept one.
    assert api.get(batch).status_code == 200
