"""Importing inventory files into a real database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.conftest import SECRET_KEY
from tests.servers import drop_database, fresh_database
from worker.inventory import ImportConflicts, ImportReport, import_inventory
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings

HEADER = "device_id,device_type,product_number,kit_id,kit_name,serial_number,claim_code,prepaid_months\n"
FILE = (
    HEADER
    + "Emu1,temperature,102058,KIT-1,Kit of 2,SN1,code1,12\n"
    + "emu2,temperature,102058,KIT-1,Kit of 2,sn2,,\n"
    + "ccon1,ccon,,,,,,120\n"
)


@pytest.fixture(scope="module")
def stocked(postgres_url: str, template_database: str) -> Iterator[Runtime]:
    """One database with the devices of `FILE` for all tests that change nothing."""
    url = fresh_database(postgres_url, template_database)
    runtime = build_runtime(Settings.model_validate({"database_url": url, "secret_key": SECRET_KEY}))
    _import(runtime, FILE)
    yield runtime
    runtime.close()
    drop_database(url)


def _import(runtime: Runtime, content: str | bytes) -> ImportReport:
    data = content.encode() if isinstance(content, str) else content
    return import_inventory(runtime, [data])


def _conflicts(runtime: Runtime, content: str) -> list[tuple[int, str]]:
    """What is refused, after making sure that nothing was imported."""
    before = _counts(runtime)
    with pytest.raises(ImportConflicts) as refused:
        _import(runtime, content)
    assert _counts(runtime) == before
    errors: Any = refused.value.extensions["errors"]
    assert refused.value.extensions["errors_total"] >= len(errors)  # type: ignore[operator]
    return [(error["line"], error["detail"]) for error in errors]


def _counts(runtime: Runtime) -> tuple[int, int]:
    with runtime.transaction() as connection:
        row = connection.execute(text("select (select count(*) from device), (select count(*) from kit)")).one()
    return row[0], row[1]


def _rows(runtime: Runtime, query: str) -> list[tuple[Any, ...]]:
    with runtime.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_devices_and_kits_are_stored_as_compared_and_shown_as_written(runtime: Runtime) -> None:
    assert _import(runtime, FILE) == ImportReport(devices_new=3, devices_unchanged=0, kits_new=1)
    assert _rows(runtime, "select kit_id, shown_id, name from kit") == [("kit-1", "KIT-1", "Kit of 2")]
    assert _rows(
        runtime,
        "select device_id, shown_id, device_type, product_number, kit_key is not null, serial_number, "
        "shown_serial, code_hash is not null, prepaid_months from device order by key",
    ) == [
        ("ccon1", None, "ccon", None, False, None, None, False, 120),
        ("emu1", "Emu1", "temperature", "102058", True, "sn1", "SN1", True, 12),
        ("emu2", None, "temperature", "102058", True, "sn2", None, False, 0),
    ]


def test_claim_codes_are_stored_as_keyed_hashes_only(runtime: Runtime) -> None:
    _import(runtime, FILE)
    assert _rows(runtime, "select code_hash from device where device_id = 'emu1'") == [
        (runtime.keys.hash_code("sn1", "code1"),)
    ]
    assert "code1" not in str(_rows(runtime, "select device::text from device"))


def test_the_same_file_again_changes_nothing(runtime: Runtime) -> None:
    _import(runtime, FILE)
    before = _rows(runtime, "select device::text, xmin::text from device order by key")
    assert _import(runtime, FILE) == ImportReport(devices_new=0, devices_unchanged=3, kits_new=0)
    assert _rows(runtime, "select device::text, xmin::text from device order by key") == before


def test_a_longer_file_adds_what_is_new(runtime: Runtime) -> None:
    _import(runtime, FILE)
    longer = FILE + "emu3,temperature,102058,KIT-1,Kit of 2,,,12\nemu4,,,KIT-2,,,,\n"
    assert _import(runtime, longer) == ImportReport(devices_new=2, devices_unchanged=3, kits_new=1)


def test_repeated_lines_count_once(runtime: Runtime) -> None:
    assert _import(runtime, FILE + FILE.removeprefix(HEADER)).devices_new == 3
    assert _import(runtime, FILE + FILE.removeprefix(HEADER)).devices_unchanged == 3


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + FILE.encode(),
        FILE.encode("utf-16"),
        FILE.replace(",", ";").encode(),
        FILE.replace(",", "\t").replace("\n", "\r\n").encode(),
        ("sep=;\n" + FILE.replace(",", ";")).encode(),
        FILE.replace("\n", ",,\n").encode(),
        FILE.replace("\n", "\n\n").encode(),
        FILE.replace("device_id", "Device ID").replace("kit_name", "KitName").encode(),
        FILE.replace("KIT-1", '" KIT-1\u200b "').encode(),
        (FILE.rstrip("\n").removesuffix("120") + '"120"').encode(),
    ],
)
def test_files_are_read_as_people_have_them(runtime: Runtime, content: bytes) -> None:
    assert _import(runtime, content) == ImportReport(devices_new=3, devices_unchanged=0, kits_new=1)
    assert _import(runtime, FILE) == ImportReport(devices_new=0, devices_unchanged=3, kits_new=0)


def test_only_the_device_id_is_needed(runtime: Runtime) -> None:
    assert _import(runtime, "device_id\nemu1\nemu2\n").devices_new == 2
    assert _rows(runtime, "select distinct prepaid_months from device") == [(0,)]


def test_backslashes_and_quotes_are_text_like_any_other(runtime: Runtime) -> None:
    _import(runtime, 'device_id,device_type,product_number\nemu1,"a\\N\\.","\\"\nemu2,"""b"" ;",\\N\n')
    assert _rows(runtime, "select device_type, product_number from device order by key") == [
        ("a\\N\\.", "\\"),
        ('"b" ;', "\\N"),
    ]


def test_blocks_may_be_cut_anywhere(runtime: Runtime) -> None:
    content = FILE.replace("Kit of 2", "Kit für 2").encode()
    assert import_inventory(runtime, (bytes([byte]) for byte in content)).devices_new == 3
    assert _rows(runtime, "select name from kit") == [("Kit für 2",)]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("emu 9,,,,,,,", "device_id cannot be used: bad_character"),
        (",x,,,,,,", "device_id is empty"),
        ("1.23E+19,,,,,,,", "device_id cannot be used: mangled_by_spreadsheet"),
        ("emu9,,,kit/9,,,,", "kit_id cannot be used: bad_character"),
        ("emu9,,,,Kit,,,", "there is a kit_name without a kit_id"),
        ("emu9,,,,,sn 9,,", "serial_number cannot be used: bad_character"),
        ("emu9,,,,,,code,", "there is a claim_code without a serial_number"),
        ("emu9,,,,,sn9,***,", "claim_code cannot be used: masked_code"),
        ("emu9,,,,,,,121", "prepaid_months is not a whole number from 0 to 120"),
        ("emu9,,,,,,,-1", "prepaid_months is not a whole number from 0 to 120"),
        ("emu9,,,,,,,1.5", "prepaid_months is not a whole number from 0 to 120"),
        ("emu9,a\x00b,,,,,,", "device_type has control characters in it"),
        ("emu9," + "a" * 201 + ",,,,,,", "device_type is longer than 200 characters"),
        ("emu9,,,,,,,,more", "there are more cells in this line than names in the header"),
    ],
)
def test_a_line_that_cannot_be_used_refuses_the_file(stocked: Runtime, line: str, detail: str) -> None:
    assert _conflicts(stocked, FILE + line + "\n") == [(5, detail)]


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        ("emu9,a,,,,,,\nemu9,b,,,,,,\n", [(6, "device emu9 is in line 5 too, with other data")]),
        ("emu9,,,,,,,\nEMU9,,,,,,,\n", [(6, "device emu9 is in line 5 too, with other data")]),
        ("emu9,,,k,A,,,\nemu8,,,k,B,,,\n", [(6, "kit k is in line 5 too, under another name or spelling")]),
        ("emu9,,,k,A,,,\nemu8,,,K,A,,,\n", [(6, "kit k is in line 5 too, under another name or spelling")]),
        ("kit-1,,,,,,,\n", [(5, "device kit-1 is a kit in line 2")]),
        ("emu9,,,,,s,,\nemu8,,,,,S,,\n", [(6, "serial number s is in line 5 too, for another device")]),
    ],
)
def test_lines_that_contradict_each_other_refuse_the_file(
    stocked: Runtime, lines: str, errors: list[tuple[int, str]]
) -> None:
    assert _conflicts(stocked, FILE + lines) == errors


_OTHER = "device emu1 is in the inventory with other data"


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("Emu1,humidity,102058,KIT-1,Kit of 2,SN1,code1,12", _OTHER),
        ("Emu1,temperature,102059,KIT-1,Kit of 2,SN1,code1,12", _OTHER),
        ("Emu1,temperature,102058,,,SN1,code1,12", _OTHER),
        ("Emu1,temperature,102058,KIT-2,Kit of 2,SN1,code1,12", _OTHER),
        ("Emu1,temperature,102058,KIT-1,Kit of 2,SN9,code1,12", _OTHER),
        ("Emu1,temperature,102058,KIT-1,Kit of 2,SN1,code2,12", _OTHER),
        ("Emu1,temperature,102058,KIT-1,Kit of 2,SN1,,12", _OTHER),
        ("Emu1,temperature,102058,KIT-1,Kit of 2,SN1,code1,13", _OTHER),
        ("EMU1,temperature,102058,KIT-1,Kit of 2,SN1,code1,12", _OTHER),
        ("emu9,,,KIT-1,Kit of 3,,,", "kit kit-1 is in the inventory under another name or spelling"),
        ("emu9,,,kit-1,Kit of 2,,,", "kit kit-1 is in the inventory under another name or spelling"),
        ("KIT-1,,,,,,,", "device kit-1 is a kit in the inventory"),
        ("emu9,,,EMU1,,,,", "kit emu1 is a device in the inventory"),
        ("emu9,,,,,sn1,,", "serial number sn1 is in the inventory for another device"),
    ],
)
def test_a_line_that_contradicts_the_inventory_refuses_the_file(stocked: Runtime, line: str, detail: str) -> None:
    assert _conflicts(stocked, f"{HEADER}new,,,,,,,\n{line}\n") == [(3, detail)]


def test_a_known_device_that_changes_places_with_a_new_one_refuses_the_file(stocked: Runtime) -> None:
    lines = "emu9,,,,,sn1,,\nEmu1,temperature,102058,KIT-1,Kit of 2,SN7,,12\nemu8,,,ccon1,,,,\nccon1,ccon,,,,,,120\n"
    assert _conflicts(stocked, HEADER + lines) == [
        (2, "serial number sn1 is in the inventory for another device"),
        (3, _OTHER),
        (4, "kit ccon1 is a device in the inventory"),
    ]


def test_a_kit_has_at_most_a_hundred_devices(runtime: Runtime) -> None:
    lines = "".join(f"emu{number},kit\n" for number in range(99))
    _import(runtime, "device_id,kit_id\n" + lines)
    _import(runtime, "device_id,kit_id\nlast,kit\n")
    assert _conflicts(runtime, "device_id,kit_id\nlast,kit\nmore,kit\n") == [
        (2, "kit kit would have 101 devices, more than 100")
    ]


def test_physical_lines_are_counted(runtime: Runtime) -> None:
    content = 'device_id,device_type\nemu1,"two\n lines"\n\nemu2,a\nemu2,b\n'
    assert _conflicts(runtime, content) == [
        (2, "device_type has control characters in it"),
        (6, "device emu2 is in line 5 too, with other data"),
    ]


def test_at_most_a_hundred_lines_are_listed_and_all_are_counted(runtime: Runtime) -> None:
    content = "device_id,prepaid_months\n" + "".join(f"emu{number},x\n" for number in range(1500))
    with pytest.raises(ImportConflicts) as refused:
        _import(runtime, content + "emu1,1\nemu1,2\n")
    errors: Any = refused.value.extensions["errors"]
    assert [error["line"] for error in errors] == list(range(2, 102))
    assert refused.value.extensions["errors_total"] == 1501
    assert refused.value.status == 422
    assert refused.value.problem_type == "inventory-conflict"


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "no devices"),
        ("\n\n", 1, "no devices"),
        (HEADER, 1, "no devices"),
        ("emu1\nemu2\n", 1, "has to name the columns"),
        ("kit_id,kit_name\na,b\n", 1, "device_id is missing"),
        ("\n\ndevice_id,colour\na,b\n", 3, "'colour'"),
        ("device_id,device id\na,b\n", 1, "device_id"),
        ("device_id,kit_name,kit_name\na,b,c\n", 1, "kit_name_2"),
        ('device_id,kit_name\na,"b\n', 2, "never closed"),
    ],
)
def test_a_file_that_is_no_inventory_is_refused(stocked: Runtime, content: str, line: int, words: str) -> None:
    ((found, detail),) = _conflicts(stocked, content)
    assert found == line
    assert words in detail


def test_a_workbook_is_refused_by_its_name(stocked: Runtime) -> None:
    with pytest.raises(ImportConflicts) as refused:
        _import(stocked, b"PK\x03\x04\x14\x00xl/workbook.xml" + bytes(100))
    assert "Excel" in str(refused.value.extensions["errors"])


def test_a_sender_that_breaks_off_leaves_nothing(runtime: Runtime) -> None:
    def broken() -> Iterator[bytes]:
        yield FILE.encode()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        import_inventory(runtime, broken())
    assert _counts(runtime) == (0, 0)


def test_the_same_file_twice_at_the_same_time_is_imported_once(runtime: Runtime) -> None:
    content = HEADER + "".join(f"emu{number},,,kit{number // 25},,,,1\n" for number in range(5000))
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: _import(runtime, content), range(2)))
    assert sorted(report.devices_new for report in reports) == [0, 5000]
    assert sorted(report.kits_new for report in reports) == [0, 200]
    assert _counts(runtime) == (5000, 200)


def test_after_a_large_import_lookups_are_answered_by_the_index_alone(runtime: Runtime) -> None:
    _import(runtime, "device_id\n" + "".join(f"emu{number}\n" for number in range(5000)))
    plan = "\n".join(
        row[0]
        for row in _rows(runtime, "explain (analyze) select key from device where device_id = any('{emu1,emu2}')")
    )
    assert "Heap Fetches: 0" in plan
