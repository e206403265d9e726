"""Inputs that cannot be used as a whole."""

import gzip
import io
import zipfile

import pytest

from tests.unit.intake.reading import named, rejection


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(
                name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x" * 999
            )
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), "an Excel workbook (.xlsx)"),
        (zipped("docProps/app.xml", "xl/worksheets/sheet1.xml"), "an Excel workbook (.xlsx)"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a Word document (.docx)"),
        (zipped("list.csv"), "a ZIP archive"),
        (zipped(), "a ZIP archive"),
        (b"%PDF-1.7\n1 0 obj\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a picture (JPEG)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, "an old Excel workbook (.xls)"),
        (gzip.compress(b"device_id\nAB-1\n", mtime=0), "a gzip archive"),
        (b"SQLite format 3\x00\x10\x00\x01\x01", "a file of another kind"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 20, "a file of another kind"),
        (b"\r\n<!DOCTYPE html>\n<html>", "a web page (HTML)"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>', "an XML document"),
        (b'{"device_ids": ["AB-1"]}', "JSON"),
    ],
)
def test_a_file_of_another_format_is_named(data: bytes, name: str) -> None:
    rejected = rejection(data)
    assert rejected.problem_type == "not-csv"
    assert rejected.detail.startswith(f"This is {name}")


def test_an_opendocument_spreadsheet_is_named() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert "(.ods)" in rejection(file.getvalue()).detail


@pytest.mark.parametrize("text", ["PK-1", "BM-77", "ID3", "II*", "GIF-9", "RIFF", "MZ1", "%PD", "7z", "{x", "<x"])
def test_identifiers_that_look_like_the_mark_of_a_format_are_read(text: str) -> None:
    assert named(f"device_id\n{text}\nA\x00\n".encode())[1] == "bad_character"
    assert named(f"{text}\nAB-1\n".encode())[1] == "ab-1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\n",
        b"\r\n \r\n\t\r\n",
        b";;;\n;;;\n",
        b'"",""\n""\n',
        b'" "\n',
        b"sep=;\n",
        b"sep=,\n\n\n",
        b"device_id\n",
        b"device_id",
        b"device_id,note\r\n",
        b"device_id;note\n\n;;\n",
        b"device_id\n" + b"\n" * 100_000,
        b"\n" * 1_000_000,
    ],
)
def test_an_input_without_rows_is_empty(data: bytes) -> None:
    rejected = rejection(data)
    assert (rejected.problem_type, rejected.line) == ("empty", None)


def test_a_claim_code_in_a_file_without_a_header_is_not_repeated() -> None:
    assert "SECRET" not in str(rejection(b"S-1,SECRET\nS-2,OTHER\n").problem())


def test_a_rejection_is_a_problem_for_the_batch() -> None:
    rejected = rejection(b"name,note\nx,y\n")
    assert rejected.problem() == {
        "type": "no-known-column",
        "title": "No column is known",
        "detail": "A header is needed: none of the 2 columns is called device_id, kit_id, serial_number, "
        "claim_code or identifier.",
        "line": 1,
    }
    assert str(rejected).startswith("Line 1: A header is needed")
    assert str(rejection(b"")) == "There is nothing to claim in this input."
