"""The input as it came: byte for byte, but for claim codes."""

import json
from dataclasses import replace

import pytest

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from tests.database.reports.reading import csv_text, viewer_of
from worker.errors import Forbidden, NotFound
from worker.reports import original_input
from worker.runtime import Runtime

CODED = "https://x.example/?serial_number=s1&claim_code="


def _body(runtime: Runtime, sender: Sender, batch_id: str) -> bytes:
    return b"".join(original_input(runtime, sender.principal, batch_id).body)


@pytest.mark.parametrize(
    "typed",
    [
        b"device_id\na1\n",
        b'\xef\xbb\xbfsep=;\r\nDevice ID;"a ""b"""\r\n\r\n ; \r\n\'=a1;"two\r\nlines"\r\nlast;',
        "device_id,n\nx,\u00fc\n".encode("cp1252"),
        "\ufeffdevice_id\tn\r\nx\t\u20ac\r\n".encode("utf-16-le"),
        b"device_id\ra1\ra2\r",
        b"device_id,claim_code\na1,***\na2,\na3\n",
        b"note,device_id\nclaim=code,a1\n",
        b"device_id\n" + b"".join(b"%030d\n" % number for number in range(20_000)),
    ],
)
def test_an_input_without_codes_comes_back_as_it_was(runtime: Runtime, sender: Sender, typed: bytes) -> None:
    batch_id = send(runtime, sender, typed)
    assert _body(runtime, sender, batch_id) == typed
    carry_out(runtime, batch_id)
    assert _body(runtime, sender, batch_id) == typed


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("serial_number;claim_code\r\n s1 ;secret\r\ns2;\r\n", "serial_number;claim_code\r\n s1 ;***\r\ns2;\r\n"),
        (f"identifier\n{CODED}secret&x=1\nkit\n", f"identifier\n{CODED}***&x=1\nkit\n"),
        (f"device_id,note\na1,{CODED}secret", f"device_id,note\na1,{CODED}***"),
        (
            'note,claim_code,serial_number\n\n"a\nb","sec""ret",s1\n\n"""q""",secret,s2\n',
            'note,claim_code,serial_number\n\n"a\nb",***,s1\n\n"""q""",***,s2\n',
        ),
        ("serial_number,claim_code,n\n1,23E+19,secret\n", 'serial_number,claim_code,n\n"1,23E+19",***\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_codes_are_masked_and_nothing_else_is_changed(
    runtime: Runtime, sender: Sender, typed: str, given: str, encoding: str
) -> None:
    batch_id = send(runtime, sender, typed.encode(encoding))
    assert _body(runtime, sender, batch_id).decode(encoding) == given
    carry_out(runtime, batch_id)
    assert _body(runtime, sender, batch_id).decode(encoding) == given


def test_a_mended_report_that_was_sent_again_is_masked_in_its_own_columns(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"serial_number,claim_code\ns1,wrong\n")
    mended = csv_text(runtime, sender, batch).replace("***", "secret")
    batch = claim(runtime, sender, mended.encode())
    assert _body(runtime, sender, batch["id"]).decode() == mended.replace("secret", "***")


def test_json_is_masked_too(runtime: Runtime, sender: Sender) -> None:
    body = {"device_ids": ["ü"], "kit_ids": [CODED + "secret"], "devices": [{"serial_number": "s", "claim_code": "c"}]}
    batch_id = send(runtime, sender, json.dumps(body).encode(), source="json")
    given = json.loads(_body(runtime, sender, batch_id))
    assert given["devices"] == [{"serial_number": "s", "claim_code": "***"}]
    assert given["device_ids"] == ["ü"]
    assert given["kit_ids"] == [CODED + "***"]
    plain = b'{ "device_ids": ["a1"] }'
    assert _body(runtime, sender, send(runtime, sender, plain, source="json")) == plain


def test_the_file_has_its_name_and_type(runtime: Runtime, sender: Sender) -> None:
    named = original_input(runtime, sender.principal, send(runtime, sender, b"a1\n", file_name="büro.csv"))
    assert (named.media_type, named.file_name) == ("text/csv", "büro.csv")
    nameless = send(runtime, sender, b"{}", source="json")
    found = original_input(runtime, sender.principal, nameless)
    assert (found.media_type, found.file_name) == ("application/json", f"{nameless}.json")


@pytest.mark.parametrize(
    "typed",
    [b"PK\x03\x04 xl/workbook", b"\xff\xfea", b"name,code\nx,secret\n", b'serial_number,claim_code\n"s,secret\n', b""],
)
def test_what_cannot_be_read_cannot_be_masked_and_is_for_those_who_may_send_such_files(
    runtime: Runtime, sender: Sender, typed: bytes
) -> None:
    batch = claim(runtime, sender, typed)
    assert batch["state"] == "rejected"
    assert _body(runtime, sender, batch["id"]) == typed
    with pytest.raises(Forbidden):
        original_input(runtime, viewer_of(runtime, sender), batch["id"])


def test_a_viewer_may_have_what_can_be_masked(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"], codes=True)
    batch = claim(runtime, sender, b"serial_number,claim_code\nsn-a1,code-a1\n")
    viewer = replace(sender, principal=viewer_of(runtime, sender))
    assert _body(runtime, viewer, batch["id"]) == b"serial_number,claim_code\nsn-a1,***\n"


def test_strangers_do_not_find_it(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    with pytest.raises(NotFound):
        original_input(runtime, new_sender(runtime, "Stranger").principal, batch_id)
