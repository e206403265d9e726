"""Fix and resubmit, as a client does it: download what failed, mend it by a script, send it back."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2

from tests.api.serving import Tenant
from tests.claims import add_devices, carry_out
from worker.runtime import Runtime

MENDED = {"O1": "01", "O2": "02", "1.23E+19": "12300000000000000001"}
CSV_HEADERS = {"Content-Type": "text/csv"}


def send(api: httpx2.Client, tenant: Tenant, runtime: Runtime, body: bytes, **options: str) -> dict[str, Any]:
    """The document of a batch that has come to its end."""
    accepted = api.post(tenant.uploads, content=body, headers=CSV_HEADERS, params=options)
    assert accepted.status_code == 202, accepted.text
    carry_out(runtime, accepted.json()["id"])
    return look(api, accepted.json()["id"])


def look(api: httpx2.Client, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/claim-batches/{batch_id}").json()
    return found


def mended(report: bytes) -> bytes:
    """What a script makes of the failed rows: it knows of nothing but its own first column."""
    header, *rows = csv.reader(io.StringIO(report.decode("utf-8-sig")), delimiter=";")
    for row in rows:
        row[0] = MENDED[row[0]]
        row[2] = row[2].replace("soon", "")
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([header, *rows])
    return text.getvalue().encode()


def test_failed_rows_are_mended_by_a_script_and_counted_down_to_none(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime
) -> None:
    add_devices(runtime, ["00", "01", "02", "03", "12300000000000000001"])
    day = today() + timedelta(days=30)
    rows = ["identifier;site;activate_on", "00;=roof;", f"O1;roof;{day}", "O2;;soon", f"1.23E+19;'x;{day}", "03;;soon"]
    parent = send(api, tenant, runtime, "\r\n".join(rows).encode("utf-16"))
    assert parent["totals"] == {"claimed": 1, "not_found": 1, "invalid_identifier": 3}
    assert parent["failures"] == {"rows": 4, "remaining": 4}

    report = api.get(f"/v1/claim-batches/{parent['id']}/results.csv", params={"only": "failed"}).content
    first = b"\r\n".join(line for line in report.split(b"\r\n") if not line.startswith(b"03;"))
    child = send(api, tenant, runtime, mended(first), parent=parent["id"])
    assert (child["totals"], child["parent"]) == ({"claimed": 3}, parent["id"])
    assert look(api, parent["id"])["failures"] == {"rows": 4, "remaining": 1}
    shown = api.get(f"/v1/claim-batches/{child['id']}/results").json()["items"]
    assert [result["input"] for result in shown] == [
        {"identifier": "01", "site": "roof", "activate_on": str(day)},
        {"identifier": "02", "site": "", "activate_on": ""},
        {"identifier": "12300000000000000001", "site": "'x", "activate_on": str(day)},
    ]

    last = send(api, tenant, runtime, report.replace(b"soon", b""), parent=parent["id"])
    assert last["totals"]["claimed"] == 1
    seen = look(api, parent["id"])
    assert (seen["failures"], seen["children"]) == ({"rows": 4, "remaining": 0}, [child["id"], last["id"]])


def test_a_batch_starts_on_the_day_that_it_was_sent_with(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    add_devices(runtime, ["a1"])
    day = today() + timedelta(days=30)
    batch = send(api, tenant, runtime, b"a1\n", activate_on=str(day))
    assert (batch["activate_on"], batch["activate_at"]) == (str(day), f"{day}T00:00:00.000000Z")


def test_a_day_out_of_reach_is_refused(api: httpx2.Client, tenant: Tenant) -> None:
    for days in (-2, 366 * 2 + 2):
        params = {"activate_on": str(today() + timedelta(days=days))}
        answer = api.post(tenant.uploads, content=b"a1\n", headers=CSV_HEADERS, params=params)
        assert (answer.status_code, answer.json()["parameter"]) == (422, "activate_on")
    assert api.get("/v1/claim-batches").json()["items"] == []


def today() -> date:
    """Organizations have UTC unless they say otherwise."""
    return datetime.now(UTC).date()
