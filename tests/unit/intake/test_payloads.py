"""URLs, as QR codes hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.intake.reading import read
from worker.intake import Payload, read_url
from worker.intake.payloads import mask_codes
from worker.states import Reason


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/c?device_id=AB-1", Payload("device_id", "ab-1")),
        ("https://example.com/c?kit_id=K-1&x=2", Payload("kit_id", "k-1")),
        ("https://example.com/c?identifier=X-1", Payload("identifier", "x-1")),
        ("https://example.com/c?id=X-1#top", Payload("identifier", "x-1")),
        ("https://example.com/c?kit_id=K-1&device_id=AB-1", Payload("device_id", "ab-1")),
        ("https://example.com/c?device_id=&kit_id=K-1", Payload("kit_id", "k-1")),
        ("https://example.com/c?device_id=%20AB-1", Payload("device_id", "ab-1")),
        ("https://example.com/c?serial_number=S-1&claim_code=C%2B1", Payload("serial_number", "s-1", "C+1")),
        ("https://example.com/devices/AB-1", Payload("identifier", "ab-1")),
        ("https://example.com/devices/AB-1/", Payload("identifier", "ab-1")),
        ("https://example.com/devices/AB%2D1?utm_source=box", Payload("identifier", "ab-1")),
        ("HTTP://EXAMPLE.COM/AB-1", Payload("identifier", "ab-1")),
        ("claimd:kit?kit_id=K-1", Payload("kit_id", "k-1")),
        ("https://example.com/c?serial_number=S-1", Reason.MISSING_CODE),
        ("https://example.com/c?claim_code=C", Reason.MISSING_SERIAL_NUMBER),
        ("https://example.com/c?serial_number=S-1&claim_code=***", Reason.MASKED_CODE),
        ("https://example.com/c?device_id=A+B", Reason.BAD_CHARACTER),
        ("https://example.com/c?id=1.23E%2B19", Reason.MANGLED_BY_SPREADSHEET),
        ("https://example.com/", Reason.BAD_CHARACTER),
        ("https://example.com", Reason.BAD_CHARACTER),
        ("https://[::1", Reason.BAD_CHARACTER),
        ("https://example.com/" + "x" * 65, Reason.TOO_LONG),
    ],
)
def test_a_url_names_a_device_or_a_kit(url: str, expected: Payload | Reason) -> None:
    assert read_url(url) == expected


def test_a_url_counts_in_the_identifier_column_only() -> None:
    rows = read(b"identifier,device_id\nhttps://example.com/AB-1,\n,https://example.com/AB-1\n")
    assert [row.named for row in rows] == ["ab-1", "bad_character"]


def test_a_url_with_a_serial_number_is_a_pair() -> None:
    (row,) = read(b"identifier\nhttps://example.com/c?serial_number=S-1&claim_code=C0DE\n")
    assert (row.kind, row.named, row.code) == ("PAIR", "s-1", "C0DE")
    assert row.input == {"identifier": "https://example.com/c?serial_number=S-1&claim_code=***"}


@pytest.mark.parametrize(
    ("typed", "masked"),
    [
        ("https://e.com/c?claim_code=SECRET&serial_number=S", "https://e.com/c?claim_code=***&serial_number=S"),
        ("https://e.com/c?a=b&claimCode=SECRET", "https://e.com/c?a=b&claimCode=***"),
        ("https://e.com/#/c?claim-code=SECRET", "https://e.com/#/c?claim-code=***"),
        ("https://e.com/c?claim%5Fcode=SE=C?RET#x", "https://e.com/c?claim%5Fcode=***#x"),
        (
            "https://e.com/?u=https%3A%2F%2Fe.com%3Fclaim_code%3DSECRET%26a=b",
            "https://e.com/?u=https://e.com?claim_code=***&a=b",
        ),
        ("https://e.com/?x=1?claim_code=SECRET", "https://e.com/?x=1?claim_code=***"),
        ("https://e.com/c?claim_code=", "https://e.com/c?claim_code="),
        ("https://e.com/c?a=%20&b=c", "https://e.com/c?a=%20&b=c"),
        ("claim_code=SECRET", "claim_code=***"),
        ("=A1+B2", "=A1+B2"),
    ],
)
def test_codes_in_urls_are_masked_in_every_column(typed: str, masked: str) -> None:
    assert mask_codes(typed) == masked
    (row,) = read(f'device_id,note\nAB-1,"{typed}"\n'.encode())
    assert row.input["note"] == masked


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_makes_reading_or_masking_fail(text: str, more: str) -> None:
    read_url(f"https://{text}?{more}")
    read_url(text)
    assert mask_codes(mask_codes(text)) == mask_codes(text)


def test_a_megabyte_of_one_character_is_masked_in_no_time() -> None:
    for text in ("=" * 500_000, "&" * 500_000 + "=", "=" + "a" * 1_000_000, "%3" * 300_000):
        assert mask_codes(text) == text
