"""Cursors come back as they were given out; anything else is refused, never passed on to the database."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.cursors import decode_cursor, encode_cursor
from worker.errors import Invalid

URL_SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.integers(0, 2**63 - 1), st.text(st.characters(categories=["L", "N", "P"])))
def test_a_cursor_gives_back_its_parts(number: int, name: str) -> None:
    cursor = encode_cursor(number, name)
    assert set(cursor) <= URL_SAFE
    assert decode_cursor(cursor, (int, str)) == (number, name)


@given(st.text())
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(cursor, (int, str, int))


@pytest.mark.parametrize(
    "plain",
    [
        b"1",
        b"[]",
        b"[1]",
        b"[1,2,3]",
        b"[1,true]",
        b"[1,2.0]",
        b"[1,-1]",
        b"[1,9223372036854775808]",
        b'[1,"2"]',
        b"[1,null]",
        b"[1,[2]]",
        b"[" * 100_000,
        b"[1,1" + b"0" * 5000 + b"]",
        b"\xff",
        b"",
    ],
)
def test_a_cursor_of_two_numbers_holds_nothing_else(plain: bytes) -> None:
    with pytest.raises(Invalid):
        decode_cursor(base64.urlsafe_b64encode(plain).decode(), (int, int))


@pytest.mark.parametrize("text", ["\0", "\ud800", "a\nb"])
def test_text_that_the_database_could_not_take_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(encode_cursor(text), (str,))
