"""The report as CSV: a table that spreadsheets open safely and intake takes back."""

import csv
import io
import json

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender, send
from tests.database.reports.reading import all_items, csv_rows, csv_text, items, show_in_capitals
from worker.errors import NotFound, ResultsNotReady
from worker.reports import report_csv, report_jsonl
from worker.runtime import Runtime

SIX = ["row", "line", "outcome", "device_id", "detail", "hint"]


def test_the_users_columns_come_first_in_their_order_and_with_their_delimiter(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1", "a2"])
    batch = claim(runtime, sender, "Raum;Device ID;;Höhe\n2.15;A1;x;ü\n\n;a2;;\n".encode("cp1252"))
    assert csv_rows(runtime, sender, batch, ";") == [
        ["Raum", "Device ID", "column_3", "Höhe", *SIX],
        ["2.15", "A1", "x", "ü", "1", "2", "claimed", "a1", "Claimed for the project.", ""],
        ["", "a2", "", "", "2", "4", "claimed", "a2", "Claimed for the project.", ""],
    ]


def test_a_list_without_header_gets_one(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\na2\n")
    assert [row[:3] for row in csv_rows(runtime, sender, batch)] == [
        ["identifier", "row", "line"],
        ["a1", "1", "1"],
        ["a2", "2", "2"],
    ]


def test_short_and_long_records_make_a_rectangular_table(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"device_id,a,b\nx1\nx2,1,2,3,4\nx3,1,2\n")
    assert [row[:4] for row in csv_rows(runtime, sender, batch)[1:]] == [
        ["x1", "", "", "1"],
        ["x2", "1", "2", "2"],
        ["x3", "1", "2", "3"],
    ]


def test_lines_of_quoted_cells_are_counted_and_their_cells_come_back(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b'device_id,note\r\nx1,"two\r\nlines; ""quoted"", comma"\r\nx2,plain\r\n')
    rows = csv_rows(runtime, sender, batch)
    assert [row[:4] for row in rows[1:]] == [
        ["x1", 'two\r\nlines; "quoted", comma', "1", "2"],
        ["x2", "plain", "2", "4"],
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@a", "'=1", "''=1", "\uff1d1", "'plain", "'"])
def test_no_cell_is_run_by_a_spreadsheet_and_intake_reads_what_was_typed(
    runtime: Runtime, sender: Sender, cell: str
) -> None:
    batch = claim(runtime, sender, f"device_id,note\nx1,{cell}\nx2,plain\n".encode())
    typed = [item["input"] for item in items(runtime, sender, batch)]
    given = csv_rows(runtime, sender, batch)[1][1]
    assert given[0] not in "=+-@\uff1d"
    again = claim(runtime, sender, csv_text(runtime, sender, batch).encode())
    assert [item["input"] for item in items(runtime, sender, again)] == typed


def test_an_identifier_that_looks_like_a_formula_is_escaped_as_well(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["-a1", "b1"])
    batch = claim(runtime, sender, b"device_id\n-A1\nb1\n")
    assert [row[4] for row in csv_rows(runtime, sender, batch)[1:]] == ["'-a1", "b1"]


def test_codes_are_masked_wherever_they_are(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"], codes=True)
    url = "https://x.example/?serial_number=sn-a1&claim_code=code-a1"
    body = f"serial_number,claim_code,identifier,note\nsn-a1,code-a1,,{url}\n,,{url},\n"
    batch = claim(runtime, sender, body.encode())
    assert batch["totals"] == {"claimed": 1, "duplicate": 1}
    for report in (csv_text(runtime, sender, batch), _jsonl(runtime, sender, batch["id"])):
        assert "code-a1" not in report
        assert report.count("***") == 3


def test_devices_are_shown_as_they_were_imported(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k1", "k2"], kit="kit-7")
    add_devices(runtime, ["a1"])
    show_in_capitals(runtime)
    add_devices(runtime, ["b1"])
    batch = claim(runtime, sender, b"identifier\na1\nkit-7\nb1\nK1\nnope\n")
    assert [(row[1], row[4]) for row in csv_rows(runtime, sender, batch)[1:]] == [
        ("1", "A1"),
        ("2", "K1"),
        ("2", "K2"),
        ("3", "b1"),
        ("4", "K1"),
        ("5", ""),
    ]


def test_the_report_says_what_the_pages_say(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, [f"k{number}" for number in range(100)], kit="kit-7", codes=True)
    add_devices(runtime, [f"a{number}" for number in range(3000)])
    add_devices(runtime, ["free"], months=0)
    claim(runtime, new_sender(runtime, "South", sender.principal.organization_id), b"a1\n")
    claim(runtime, sender, b"a2\n")
    rows = [f"a{number}" for number in range(3000)] + ["kit-7", "k5", "free", "no,pe", "", "a1", "1.2E+5", "kit-7"]
    batch = claim(runtime, sender, ("identifier\n" + "\n".join(rows)).encode())
    pages = all_items(runtime, sender, batch, limit=1000)
    reader = csv.reader(io.StringIO(csv_text(runtime, sender, batch), newline=""))
    assert next(reader) == ["identifier", *SIX]
    assert list(reader) == [
        [
            item["input"]["identifier"],
            *(str(item[name] or "") for name in SIX),
        ]
        for item in pages
    ]
    assert [json.loads(line) for line in _jsonl(runtime, sender, batch["id"]).splitlines()] == pages


def test_json_input_becomes_a_table_with_four_columns(runtime: Runtime, sender: Sender) -> None:
    body = {"kit_ids": ["no"], "devices": [{"serial_number": "s", "claim_code": "c"}]}
    batch = claim(runtime, sender, json.dumps(body).encode(), source="json")
    assert [row[:7] for row in csv_rows(runtime, sender, batch)] == [
        ["device_id", "kit_id", "serial_number", "claim_code", "row", "line", "outcome"],
        ["", "no", "", "", "1", "", "not_found"],
        ["", "", "s", "***", "2", "", "not_found"],
    ]


def test_failed_rows_come_once_and_can_be_mended_and_sent_again(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k1", "k2"], kit="kit-7")
    add_devices(runtime, ["a1", "a2"])
    claim(runtime, new_sender(runtime, "South"), b"k1\nk2\n")
    body = b'Room;identifier\n"=1;2";a-1\n;a1\n;kit-7\n;a1\nlast;"oh no"\n'
    batch = claim(runtime, sender, body)
    failed = csv_text(runtime, sender, batch, only_failed=True)
    rows = list(csv.reader(io.StringIO(failed, newline=""), delimiter=";"))
    assert [row[:5] for row in rows[1:]] == [
        ["'=1;2", "a-1", "1", "2", "not_found"],
        ["", "kit-7", "3", "4", "already_claimed"],
        ["last", "oh no", "5", "6", "invalid_identifier"],
    ]
    again = claim(runtime, sender, failed.replace("a-1", "a2").encode())
    assert again["totals"] == {"claimed": 1, "already_claimed": 2, "invalid_identifier": 1}
    assert items(runtime, sender, again)[0]["input"] == {"Room": "=1;2", "identifier": "a2"}
    assert csv_rows(runtime, sender, again, ";")[0] == ["Room", "identifier", *SIX]


def test_a_report_without_failures_is_a_header(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"])
    batch = claim(runtime, sender, b"device_id\na1\na1\n")
    assert csv_text(runtime, sender, batch, only_failed=True) == "device_id," + ",".join(SIX) + "\r\n"


def test_a_preview_has_no_failures_where_all_could_be_claimed(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"])
    batch = claim(runtime, sender, b"device_id\na1\n", preview=True)
    assert csv_rows(runtime, sender, batch)[1][3] == "claimable"
    assert csv_text(runtime, sender, batch, only_failed=True).count("\r\n") == 1


def test_an_input_that_could_not_be_used_has_the_six_columns_only(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"name,street\nx,y\n")
    assert batch["state"] == "rejected"
    assert csv_text(runtime, sender, batch) == ",".join(SIX) + "\r\n"
    assert _jsonl(runtime, sender, batch["id"]) == ""


def test_nothing_is_sent_of_a_report_that_is_not_ready_or_not_to_be_seen(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    stranger = new_sender(runtime, "Stranger").principal
    for report in (report_csv, report_jsonl):
        with pytest.raises(ResultsNotReady):
            report(runtime, sender.principal, batch_id)
        with pytest.raises(NotFound):
            report(runtime, stranger, batch_id)


def test_a_preview_that_is_confirmed_meanwhile_is_not_mixed_with_its_successor(
    runtime: Runtime, sender: Sender
) -> None:
    batch = claim(runtime, sender, b"device_id\na1\n", preview=True)
    with runtime.transaction() as connection:
        connection.execute(text("update batch set confirmed_at = now(), state = 'resolving'"))
    reports = []
    for report in (report_csv, report_jsonl):
        with runtime.transaction() as connection:
            connection.execute(text("update batch set confirmed_at = null, state = 'previewed'"))
        reports.append(report(runtime, sender.principal, batch["id"]))
    with runtime.transaction() as connection:
        connection.execute(text("update batch set confirmed_at = now(), state = 'resolving'"))
    for lines in reports:
        with pytest.raises(ResultsNotReady):
            list(lines)


def test_no_connection_is_held_while_the_client_reads(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"device_id\n" + b"".join(b"x%d\n" % number for number in range(25_000)))
    reports = [report_csv(runtime, sender.principal, batch["id"]) for _ in range(5)]
    for report in reports:
        next(report)
        next(report)
    assert all(sum(piece.count(b"\r\n") for piece in report) == 24_000 for report in reports)


def _jsonl(runtime: Runtime, sender: Sender, batch_id: str) -> str:
    return b"".join(report_jsonl(runtime, sender.principal, batch_id)).decode()
