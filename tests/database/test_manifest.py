"""Signed reports of all kinds of batches are sound, and whoever lays hands on one is found out."""

import base64
import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from tests.reports import Files, packed, proven, save_bundle, unpacked, with_manifest, with_results
from worker.batches import cancel, revert
from worker.crypto import Keys, key_id
from worker.errors import NotFound, ResultsNotReady, WrongState
from worker.proof import MANIFEST, RESULTS, TABLE, canonical, signed_bytes, verify_report
from worker.reports import report_bundle, report_csv, report_jsonl, signed_manifest, signing_key
from worker.runtime import Runtime
from worker.states import Mode

CSV = b"identifier;Room\nkit-1;\xc3\xbc1\nk1;2\na1;3\nnope;4\n,;\n1,2E+9;5\na1;6\n"


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"], codes=True)
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    return new_sender(runtime, "north")


@pytest.fixture
def bundle(runtime: Runtime, sender: Sender, tmp_path: Path) -> Path:
    """A sound report of kits, duplicates and failures."""
    return save_bundle(runtime, sender, claim(runtime, sender, CSV, file_name="größe.csv")["id"], tmp_path)


def test_a_bundle_proves_itself_and_its_original(runtime: Runtime, bundle: Path, tmp_path: Path) -> None:
    original = tmp_path / "original.csv"
    original.write_bytes(CSV)
    found = verify_report(bundle, original, runtime.keys.public_key)
    assert found.problems == []
    assert (found.rows_total, found.results_total) == (7, 8)
    assert found.key_id == signing_key(runtime)["key_id"]


def test_a_bundle_holds_the_reports_as_they_are_downloaded(runtime: Runtime, sender: Sender, bundle: Path) -> None:
    files = unpacked(bundle)
    batch_id = json.loads(files[MANIFEST])["batch_id"]
    assert list(files) == [RESULTS, TABLE, MANIFEST]
    assert files[RESULTS] == b"".join(report_jsonl(runtime, sender.principal, batch_id))
    assert files[TABLE] == b"".join(report_csv(runtime, sender.principal, batch_id))


def test_a_manifest_states_what_the_batch_is(runtime: Runtime, sender: Sender, bundle: Path) -> None:
    batch = claim(runtime, sender, b"a2\n", file_name="größe.csv")
    manifest = signed_manifest(runtime, sender.principal, batch["id"])
    for name in ("operation", "mode", "state", "project_id", "rows_total", "results_total", "totals", "finished_at"):
        assert manifest[name] == batch[name]
    assert manifest["input"]["sha256"] == hashlib.sha256(b"a2\n").hexdigest()
    assert manifest["results_csv"] is None
    assert json.loads(unpacked(bundle)[MANIFEST])["results_csv"]["file"] == TABLE


def test_the_signature_is_over_the_canonical_manifest(runtime: Runtime, sender: Sender) -> None:
    manifest = signed_manifest(runtime, sender.principal, claim(runtime, sender, b"a2\n")["id"])
    unsigned = {name: value for name, value in reversed(manifest.items()) if name != "signature"}
    assert signed_bytes(manifest) == canonical(unsigned)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(manifest["public_key"]))
    public.verify(base64.b64decode(manifest["signature"]), canonical(unsigned))
    assert canonical({"ü": "\u2028\x7f\x01\n/", "b": [1, None, True], "B": {}}) == (
        '{"B":{},"b":[1,null,true],"ü":"\u2028\x7f\\u0001\\n/"}'.encode()
    )


def test_a_manifest_beside_its_results_is_enough(runtime: Runtime, sender: Sender, tmp_path: Path) -> None:
    batch_id = claim(runtime, sender, CSV)["id"]
    manifest = tmp_path / f"{batch_id}-manifest.json"
    manifest.write_text(json.dumps(signed_manifest(runtime, sender.principal, batch_id)), encoding="utf-8")
    assert verify_report(manifest).problems == [f"{RESULTS} is missing: it has to be in the folder of the manifest."]
    results = tmp_path / f"{batch_id}-{RESULTS}"
    results.write_bytes(b"".join(report_jsonl(runtime, sender.principal, batch_id)))
    assert verify_report(manifest).problems == []


@pytest.mark.parametrize(
    ("body", "options", "state"),
    [
        (b"", {}, "rejected"),
        (b"a1\nnope\na1\n", {"mode": Mode.ATOMIC}, "rejected"),
        (b"kit-1\na1\n", {"preview": True}, "previewed"),
        (b'{"kit_ids": ["kit-1"], "device_ids": ["a1", "k1"]}', {"source": "json"}, "completed"),
        (b"serial_number,claim_code\nsn-a1,code-a1\nsn-a2,wrong-code\n", {}, "completed"),
    ],
)
def test_batches_of_every_kind_are_reported_soundly(
    runtime: Runtime, sender: Sender, tmp_path: Path, body: bytes, options: dict[str, str], state: str
) -> None:
    batch = claim(runtime, sender, body, **options)
    original = tmp_path / "original"
    original.write_bytes(body)
    assert batch["state"] == state
    assert verify_report(save_bundle(runtime, sender, batch["id"], tmp_path), original).problems == []


def test_cancelled_and_reverted_batches_are_reported_soundly(runtime: Runtime, sender: Sender, tmp_path: Path) -> None:
    cancelled = send(runtime, sender, b"a1\na2\n")
    cancel(runtime, sender.principal, cancelled)
    carry_out(runtime, cancelled)
    assert proven(runtime, sender, cancelled, tmp_path).problems == []
    batch_id = claim(runtime, sender, CSV)["id"]
    child = revert(runtime, sender.principal, batch_id)["id"]
    with pytest.raises(ResultsNotReady):
        report_bundle(runtime, sender.principal, batch_id)
    carry_out(runtime, child)
    for each in (batch_id, child):
        assert proven(runtime, sender, each, tmp_path).problems == []


def test_a_report_is_signed_for_those_who_may_read_it(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    stranger = new_sender(runtime, "stranger")
    for build in (report_bundle, signed_manifest):
        with pytest.raises(ResultsNotReady):
            build(runtime, sender.principal, batch_id)
        with pytest.raises(NotFound):
            build(runtime, stranger.principal, batch_id)


def test_a_batch_that_failed_on_the_way_has_no_report_to_sign(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    with runtime.transaction() as connection:
        connection.execute(text("update batch set state = 'failed', finished_at = now(), problem = '{}'"))
    with pytest.raises(WrongState):
        signed_manifest(runtime, sender.principal, batch_id)


def _forge(files: Files) -> Files:
    """Everything changed and signed anew, as somebody with a key of their own would."""
    keys = Keys.from_secret(bytes(32))
    manifest = json.loads(files[MANIFEST])
    manifest |= {"public_key": base64.b64encode(keys.public_key).decode(), "key_id": key_id(keys.public_key)}
    manifest["signature"] = base64.b64encode(keys.sign(signed_bytes(manifest))).decode()
    return {**files, MANIFEST: json.dumps(manifest).encode()}


TAMPERING: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a total": (lambda files: with_manifest(files, lambda it: it["totals"].update(claimed=9)), "was changed"),
    "a member that nobody looks at": (lambda files: with_manifest(files, lambda it: it.update(x=1)), "was changed"),
    "a number of rows": (lambda files: with_manifest(files, lambda it: it.update(rows_total=8)), "rows_total 8"),
    "the time": (lambda files: with_manifest(files, lambda it: it.update(finished_at=None)), "was changed"),
    "the key's name": (lambda files: with_manifest(files, lambda it: it.update(key_id="0" * 32)), "was changed"),
    "the signature": (
        lambda files: with_manifest(files, lambda it: it.update(signature="AAAA")),
        "was changed",
    ),
    "no signature": (lambda files: with_manifest(files, lambda it: it.pop("signature")), "signature: Field required"),
    "an outcome": (
        lambda files: with_results(files, lambda it: it.append(it.pop().replace(b"duplicate", b"not_found", 1))),
        "does not say which row it repeats",
    ),
    "a cell": (
        lambda files: with_results(files, lambda it: it.append(it.pop().replace(b'"Room":"6"', b'"Room":"7"'))),
        "not the file that was signed",
    ),
    "a row too few": (lambda files: with_results(files, lambda it: it.remove(it[4])), "row 4 comes next"),
    "the last row": (
        lambda files: with_results(files, lambda it: it.remove(it[-1])),
        "rows_total 7, the results have 6",
    ),
    "a row twice": (lambda files: with_results(files, lambda it: it.insert(4, it[4])), "has two results"),
    "rows in another order": (lambda files: with_results(files, lambda it: it.insert(3, it.pop())), "of row 7"),
    "the table": (
        lambda files: {**files, TABLE: files[TABLE].replace(b"claimed", b"CLAIMED", 1)},
        "results.csv is not",
    ),
    "no table": (lambda files: {name: files[name] for name in (RESULTS, MANIFEST)}, "results.csv is missing"),
    "no results": (lambda files: {name: files[name] for name in (TABLE, MANIFEST)}, "results.jsonl is missing"),
    "no manifest": (lambda files: {RESULTS: files[RESULTS]}, "manifest.json is missing"),
    "another file": (lambda files: {**files, "virus.exe": b""}, "belongs to no report"),
    "another format": (lambda files: with_manifest(files, lambda it: it.update(format=2)), "format"),
}


def test_tampering_is_found(bundle: Path, tmp_path: Path) -> None:
    files = unpacked(bundle)
    for what, (change, words) in TAMPERING.items():
        found = verify_report(packed(change(dict(files)), tmp_path / "changed.zip"))
        assert words in " ".join(found.problems), what


def test_with_the_key_a_report_that_somebody_else_signed_is_found(runtime: Runtime, bundle: Path) -> None:
    forged = packed(_forge(unpacked(bundle)), bundle)
    assert verify_report(forged).problems == []
    (problem,) = verify_report(forged, key=runtime.keys.public_key).problems
    assert "not by the key that was given" in problem


def test_another_original_is_found(bundle: Path, tmp_path: Path) -> None:
    original = tmp_path / "original.csv"
    for content in (CSV[:-1], CSV + b"\n", CSV.replace(b"a1", b"a2"), b""):
        original.write_bytes(content)
        (problem,) = verify_report(bundle, original).problems
        assert "not the file that was sent" in problem


def test_a_large_bundle_is_made_and_checked_in_little_memory(runtime: Runtime, sender: Sender, tmp_path: Path) -> None:
    rows = 30_000
    with runtime.transaction() as connection:
        connection.execute(
            text("insert into device (device_id, prepaid_months) select 'm' || n, 12 from generate_series(1, :n) n"),
            {"n": rows},
        )
    batch_id = claim(runtime, sender, b"device_id\n" + b"".join(b"m%d\n" % number for number in range(rows)))["id"]
    path = tmp_path / "bundle.zip"
    tracemalloc.start()
    with path.open("wb") as file:
        file.writelines(report_bundle(runtime, sender.principal, batch_id))
    assert verify_report(path).problems == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000
    with zipfile.ZipFile(path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) > 6_000_000
