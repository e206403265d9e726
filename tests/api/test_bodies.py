"""What bodies are taken: kinds, shapes and sizes."""

import json

import httpx2
from sqlalchemy import text

from tests.api.serving import Tenant, client_of, running_api_with
from worker.runtime import Runtime
from worker.settings import Settings

CSV = b"device_id\nSNS-1\n"
FORM = {"Content-Type": "multipart/form-data; boundary=cut"}


def kept_blocks(runtime: Runtime) -> int:
    """How many blocks of uploads the database has."""
    with runtime.transaction() as connection:
        return int(connection.execute(text("select count(*) from upload_block")).scalar_one())


def test_other_kinds_of_content_are_refused(api: httpx2.Client, tenant: Tenant) -> None:
    for media_type in ("application/xml", "text/plain", "application/csv", "application/vnd.ms-excel", "", "nonsense"):
        answer = api.post(tenant.uploads, content=CSV, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["type"]) == (415, "unsupported-media-type"), media_type
    assert api.post(tenant.uploads).status_code == 415


def test_compressed_bodies_are_refused(api: httpx2.Client, tenant: Tenant) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    assert api.post(tenant.uploads, content=CSV, headers=headers).status_code == 415


def test_a_form_needs_exactly_one_file(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    two = [("file", ("a.csv", CSV)), ("file", ("b.csv", CSV))]
    part = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nx\r\n'
    answers = [
        api.post(tenant.uploads, files={"upload": ("a.csv", CSV)}),
        api.post(tenant.uploads, files=two),
        api.post(tenant.uploads, content=part, headers=FORM),
        api.post(tenant.uploads, content=b"no form at all", headers=FORM),
        api.post(tenant.uploads, content=b"", headers=FORM),
        api.post(tenant.uploads, content=b"--cut\r\nno header\r\n\r\nx\r\n--cut--\r\n", headers=FORM),
        api.post(tenant.uploads, content=CSV, headers={"Content-Type": "multipart/form-data"}),
        api.post(tenant.uploads, content=CSV, headers={"Content-Type": f"multipart/form-data; boundary={'x' * 999}"}),
    ]
    for number, answer in enumerate(answers):
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid-multipart"), number
    assert kept_blocks(runtime) == 0


def test_a_field_without_a_file_name_is_a_file_too(api: httpx2.Client, tenant: Tenant) -> None:
    form = b'--cut\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + CSV + b"\r\n--cut--\r\n"
    answer = api.post(tenant.uploads, content=form, headers=FORM)
    assert (answer.status_code, answer.json()["file_name"]) == (202, None)


def test_json_of_another_shape_is_refused_without_repeating_it(api: httpx2.Client, tenant: Tenant) -> None:
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"kit_ids": null}',
        b'{"kit_ids": "KIT-1"}',
        b'{"device_ids": [1]}',
        b'{"device_ids": [["SNS-1"]]}',
        b'{"devices": [{"serial_number": "7"}]}',
        b'{"devices": [{"serial_number": "7", "claim_code": "geheim", "more": "geheim"}]}',
        b'{"devices": [{"serial_number": "7", "claim_code": {"geheim": 1}}]}',
        b'{"identifiers": ["SNS-1"]}',
        b'{"kit_ids": ["\\ud800"]}',
        b'{"kit_ids": ["\xff"]}',
        b"[" * 100_000,
        b'{"kit_ids":' * 100_000,
        b'{"kit_ids": [' + b"1," * 1_000_000 + b"1]}",
        json.dumps({f"k{number}": 1 for number in range(10_000)}).encode(),
    ]
    for body in bodies:
        answer = api.post(tenant.uploads, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid-json"), body[:60]
        assert 1 <= len(answer.json()["errors"]) <= 20
        assert "geheim" not in answer.text
        assert len(answer.content) < 10_000


def test_nothing_is_larger_than_the_settings_allow(settings: Settings, tenant: Tenant, runtime: Runtime) -> None:
    limits = {"max_upload_bytes": 200_000, "max_json_bytes": 1000, "max_import_bytes": 2000}
    csv, plain = {"Content-Type": "text/csv"}, {"Content-Type": "application/json"}

    def streamed(size: int) -> list[bytes]:
        return [b"x" * 1000] * (size // 1000) + [b"x" * (size % 1000)]

    with running_api_with(settings, **limits) as url, client_of(url, tenant) as api:
        # By the announced length, and by counting what comes.
        too_large = [
            api.post(tenant.uploads, content=b"x" * 200_001, headers=csv),
            api.post(tenant.uploads, content=iter(streamed(200_001)), headers=csv),
            api.post(tenant.uploads, files={"file": ("a.csv", b"x" * 200_001)}),
            api.post(tenant.uploads, files={"file": ("a.csv", CSV)}, data={"other": "x" * 300_000}),
            api.post(tenant.uploads, files={"file": ("a.csv", CSV)}, data={"other": "x" * 180_000}),
            api.post(tenant.uploads, content=b'{"kit_ids":["' + b"x" * 1000 + b'"]}', headers=plain),
            api.post(tenant.uploads, content=iter([b'{"kit_ids":["', b"x" * 1000, b'"]}']), headers=plain),
            api.post("/v1/inventory-imports", content=b"x" * 2001, headers=csv),
            api.post("/v1/inventory-imports", content=iter(streamed(2001)), headers=csv),
            api.post("/v1/claim-info", content=b'{"identifier":"' + b"x" * 100_000 + b'"}', headers=plain),
        ]
        assert kept_blocks(runtime) == 0
        allowed = [
            api.post(tenant.uploads, content=iter(streamed(200_000)), headers=csv),
            api.post(tenant.uploads, files={"file": ("a.csv", b"x" * 200_000)}),
        ]
    for number, answer in enumerate(too_large):
        assert (answer.status_code, answer.json()["type"]) == (413, "too-large"), number
    assert [answer.status_code for answer in allowed] == [202, 202]
