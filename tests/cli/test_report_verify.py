"""`claimd report verify`: on any machine, and on files from anyone."""

import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.claims import add_devices, claim, new_sender
from tests.cli.conftest import PROGRAM, Cli, Up
from tests.reports import packed, save_bundle, unpacked, with_manifest
from worker.proof import MANIFEST, RESULTS
from worker.reports import signing_key
from worker.runtime import Runtime

CSV = b"device_id\na1\nnope\na1\n"
MEMORY = 400 * 1024 * 1024


@pytest.fixture
def bundle(runtime: Runtime, tmp_path: Path) -> Path:
    add_devices(runtime, ["a1"])
    sender = new_sender(runtime, "north")
    return save_bundle(runtime, sender, claim(runtime, sender, CSV)["id"], tmp_path)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.csv"
    path.write_bytes(CSV)
    return path


def test_a_sound_report_says_what_it_proves(cli: Cli, runtime: Runtime, bundle: Path, original: Path) -> None:
    key = signing_key(runtime)
    answer = cli("report", "verify", str(bundle))
    assert answer.code == 0
    assert "3 rows, each with its outcome; 3 results" in answer.out
    assert key["key_id"] in answer.out
    assert "may be anyone's" in answer.out
    answer = cli("report", "verify", str(bundle), "--key", key["public_key"], "--input", str(original))
    assert answer.code == 0
    assert "The original is the file that was sent." in answer.out
    assert "may be anyone's" not in answer.out


def test_the_key_may_stand_in_a_file(cli: Cli, runtime: Runtime, bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(signing_key(runtime)), encoding="utf-8")
    assert cli("report", "verify", str(bundle), "--key", str(path), "--json").json["key_checked"] is True


def test_a_broken_report_ends_with_1_and_says_all_that_is_wrong(cli: Cli, bundle: Path, original: Path) -> None:
    files = with_manifest(unpacked(bundle), lambda it: it.update(rows_total=9))
    files[RESULTS] = files[RESULTS].replace(b"nope", b"note")
    original.write_bytes(b"something else")
    answer = cli("report", "verify", str(packed(files, bundle)), "--input", str(original), "--json")
    assert answer.code == 1
    assert len(answer.json["problems"]) == 4
    assert cli("report", "verify", str(bundle)).out.startswith("This report is not sound:")


@pytest.mark.parametrize("arguments", [["missing.zip"], ["{bundle}", "--input", "missing.csv"], ["."]])
def test_files_that_cannot_be_read_end_with_2(cli: Cli, bundle: Path, arguments: list[str]) -> None:
    answer = cli("report", "verify", *(each.format(bundle=bundle) for each in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert "cannot be read" in answer.err


@pytest.mark.parametrize("key", ["", "abc", "QUJD", "/", "{}", "ü"])
def test_what_is_no_key_ends_with_2(cli: Cli, bundle: Path, key: str) -> None:
    answer = cli("report", "verify", str(bundle), "--key", key)
    assert answer.code == 2
    assert "no public key" in answer.err


def test_it_needs_no_server_no_database_and_no_settings(bundle: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    environment |= {"CLAIMD_DATABASE_URL": "nonsense", "HOME": str(tmp_path)}
    command = [*PROGRAM, "report", "verify", str(bundle)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_downloaded_bundle_is_proven_with_the_key_of_its_claimd(beside: Cli, up: Up, tmp_path: Path) -> None:
    original, bundle, key = tmp_path / "a.csv", tmp_path / "bundle.zip", tmp_path / "key.json"
    original.write_bytes(b"device_id\nemu199\nnope\n")
    batch = beside("claim", str(original), "--project", up.project, "--watch", "--json").json
    assert beside("batch", "report", batch["id"], "--bundle", "--only-failed").code == 2
    assert beside("batch", "report", batch["id"], "--bundle", "--output", str(bundle)).code == 0
    key.write_text(beside("report", "key", "--json").out, encoding="utf-8")
    answer = beside("report", "verify", str(bundle), "--key", str(key), "--input", str(original), "--json")
    assert (answer.code, answer.json["batch_id"], answer.json["problems"]) == (0, batch["id"], [])


def _write_hostile_files(folder: Path, sound: dict[str, bytes]) -> None:
    """Files that are no reports, and some that would like to be unpacked."""
    (folder / "empty").write_bytes(b"")
    (folder / "noise").write_bytes(bytes(range(256)) * 100)
    (folder / "deep.json").write_bytes(b"[" * 200_000)
    (folder / "other.json").write_bytes(b'{"claimd_version": "1", "format": 1, "rows_total": NaN}')
    (folder / "long.json").write_bytes(b" " * 1_000_000)
    (folder / "cut.zip").write_bytes((folder / "sound.zip").read_bytes()[:-30])
    (folder / "head.zip").write_bytes(b"PK\x03\x04")
    damaged = bytearray((folder / "sound.zip").read_bytes())
    damaged[60:90] = bytes(30)
    (folder / "damaged.zip").write_bytes(damaged)
    (folder / "directory.zip").write_bytes(
        b"PK" + bytes(1000) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 2**31, 0, 0)
    )
    packed({"manifest.json": b"[]"}, folder / "list.zip")
    for number, line in enumerate(_hostile_lines()):
        promise = with_manifest(sound, lambda it: it["results"].update(bytes=10**15))
        packed({**promise, RESULTS: line}, folder / f"line{number}.zip")
    bomb = with_manifest(sound, lambda it: it["results"].update(bytes=10**15))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, bomb[MANIFEST])
        with archive.open(RESULTS, "w", force_zip64=True) as file:
            for _ in range(600):
                file.write(b" " * 1_000_000)
    (folder / "sound.zip").unlink()


def _hostile_lines() -> list[bytes]:
    return [
        b'{"row":1,"input":[' + b"{}," * 4_000_000 + b"{}]}\n",
        b'{"row":1,"outcome":"claimed","device_id":"\\ud800","kit_id":null,"duplicate_of_row":null}\n',
        b'{"row":' + b"9" * 100_000 + b"}\n",
        b"\xff\xfe\n",
        b"\n",
    ]


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def test_hostile_files_cost_little_memory_and_end_with_plain_words(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "sound.zip").write_bytes(bundle.read_bytes())
    _write_hostile_files(folder, unpacked(bundle))
    program = (
        "import sys\nfrom worker.cli.main import run\n"
        "codes = {name: run(['report', 'verify', name, '--json']) for name in sys.argv[1:]}\n"
        "assert set(codes.values()) == {1}, codes"
    )
    names = sorted(str(path) for path in folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *names],
        preexec_fn=_limit_memory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    problems = [json.loads(line)["problems"] for line in done.stdout.splitlines()]
    assert len(problems) == len(names)
    assert all(0 < len(" ".join(each)) < 1000 for each in problems), problems
