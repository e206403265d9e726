"""Names of columns, and files without any."""

import pytest

from tests.unit.intake.reading import dialect_of, named, read, rejection


@pytest.mark.parametrize("header", ["Device ID", "device-id", "DEVICE_ID", "deviceId", " device id ", '"Device.ID"'])
def test_known_names_are_recognised_however_they_are_spelled(header: str) -> None:
    rows = read(f"{header},note\nAB-1,x\n".encode())
    assert [row.kind for row in rows] == ["DEVICE"]


def test_names_are_given_back_as_typed() -> None:
    rows = read(b"Device ID , Our Note\nAB-1,x\n")
    assert rows[0].input == {"Device ID": "AB-1", "Our Note": "x"}


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("device_id,note,note,note", ("device_id", "note", "note_2", "note_3")),
        ("device_id,,", ("device_id", "column_2", "column_3")),
        ("note,note_2,device_id,note", ("note", "note_2", "device_id", "note_3")),
        ("device_id,,column_2", ("device_id", "column_2_2", "column_2")),
        ("device_id,a\x00b", ("device_id", "ab")),
        ("device_id,'=sum", ("device_id", "=sum")),
    ],
)
def test_repeated_and_empty_names_are_told_apart(header: str, names: tuple[str, ...]) -> None:
    assert dialect_of(f"{header}\nA,b\n".encode()).names == names


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"AB-1\nAB-2\n", ["ab-1", "ab-2"]),
        (b"AB-1", ["ab-1"]),
        (b"AB-1,\nAB-2,,\n", ["ab-1", "ab-2"]),
        (b"AB-1;;\nAB-2;\n", ["ab-1", "ab-2"]),
        (b"\n\nAB-1\n\n\nAB-2", ["ab-1", "ab-2"]),
        (b"1.23E+19\nAB-2\n", ["mangled_by_spreadsheet", "ab-2"]),
        (b"1,23E+19\nAB-2\n", ["mangled_by_spreadsheet", "ab-2"]),
        (b"https://example.com/q?a=1;b=2&id=AB-1\nhttps://example.com/AB-2\n", ["ab-1", "ab-2"]),
        (b"https://example.com/q?a=1,2&id=AB-1\nhttps://example.com/AB-2\n", ["ab-1", "ab-2"]),
    ],
)
def test_a_single_column_without_a_known_name_has_no_header(data: bytes, expected: list[str]) -> None:
    assert named(data) == expected
    dialect = dialect_of(data)
    assert (dialect.headerless, dialect.names) == (True, ("identifier",))


def test_a_single_known_column_has_a_header() -> None:
    assert not dialect_of(b"kit id\nAB-1\n").headerless


@pytest.mark.parametrize(
    ("data", "problem_type", "line"),
    [
        (b"name,note\nAB-1,x\n", "no-known-column", 1),
        (b"\n\nAB-1;x\nAB-2;y\n", "no-known-column", 3),
        (b",AB-1\n", "no-known-column", 1),
        (b"device_id,Device-ID\nA,B\n", "repeated-column", 1),
        (b"sep=;\nkit_id;note;KIT ID\nA;x;B\n", "repeated-column", 2),
    ],
)
def test_headers_that_leave_a_doubt_are_rejected(data: bytes, problem_type: str, line: int) -> None:
    rejected = rejection(data)
    assert (rejected.problem_type, rejected.line) == (problem_type, line)


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        (b"device_id,note\nA,b;c;d\n", ","),
        (b"device_id;note\nA;b,c,d\n", ";"),
        (b"device_id\tnote, free\nA\tb\n", "\t"),
        (b'note;"device_id;old";device_id\n', ";"),
        (b"device_id;price\n1,23E+19;1,5\n", ";"),
        (b"device_id\n1,23E+19\n4,56E+19\nAB;\n", ";"),
        (b"device_id\nAB;\nCD;\n", ";"),
        (b"device_id\nAB\nCD\textra\n", "\t"),
        (b"identifier\nhttps://example.com/q?x=1;y=2&id=AB\n", ","),
        (b"identifier\nhttps://example.com/q?x=1,2&id=AB\n", ";"),
        (b"device_id\nAB\n", ","),
        (b"sep=|\ndevice_id|note\n", "|"),
        (b"sep=,\ndevice_id,a;b;c;d\n", ","),
    ],
)
def test_the_delimiter_is_found(data: bytes, delimiter: str) -> None:
    assert delimiter == dialect_of(data).delimiter
