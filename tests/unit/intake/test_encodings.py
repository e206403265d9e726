import codecs

import pytest

from tests.unit.intake.reading import dialect_of, read, rejection

TEXT = "device_id,note\r\nAB-1,Köln · 5 €\r\nAB-2,\r\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8"),
        (TEXT.encode("cp1252"), "cp1252"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 131_072])
def test_the_same_rows_come_out_of_every_encoding(data: bytes, encoding: str, block: int) -> None:
    rows = read(data, block=block)
    assert [row.named for row in rows] == ["ab-1", "ab-2"]
    assert rows[0].input == {"device_id": "AB-1", "note": "Köln · 5 €"}
    assert dialect_of(data).encoding == encoding


def test_a_single_byte_that_is_not_utf8_in_the_last_block_makes_it_windows_1252() -> None:
    data = b"device_id,note\n" + b"AB-1,plain\n" * 50_000 + b"AB-2,caf\xe9\n"
    rows = read(data)
    assert rows[-1].input["note"] == "café"
    assert len(rows) == 50_001


def test_a_character_cut_off_at_the_end_is_not_utf8() -> None:
    rows = read("device_id,note\nAB-1,é".encode()[:-1])
    assert rows[0].input["note"] == "Ã"


def test_a_utf8_mark_before_windows_1252_is_no_part_of_the_first_name() -> None:
    rows = read(codecs.BOM_UTF8 + b"device_id,note\nAB-1,caf\xe9\n")
    assert rows[0].input == {"device_id": "AB-1", "note": "café"}


@pytest.mark.parametrize(
    "data",
    [
        b"device_id\nAB-1\x81\n",
        b"device_id\n" + b"AB-1\n" * 100_000 + b"\x8d",
        codecs.BOM_UTF16_LE + "device_id\nAB".encode("utf-16-le") + b"x",
        codecs.BOM_UTF16_LE + b"\x00\xd8" * 40,
        "device_id\nAB-1\n".encode("utf-32"),
    ],
)
def test_text_that_is_valid_in_no_encoding_is_rejected(data: bytes) -> None:
    assert rejection(data).problem_type == "undecodable"


def test_single_nul_bytes_do_not_make_it_utf16() -> None:
    rows = read(b"device_id,note\nAB\x001,x\nAB-2,a\x00b\n")
    assert [row.named for row in rows] == ["bad_character", "ab-2"]
    assert rows[1].input["note"] == "a\x00b"
