"""`claimd inventory import`, `claimd status` and `claimd verify`."""

import subprocess
from pathlib import Path

import psycopg

from tests.cli.conftest import INVENTORY, PROGRAM, Cli, Up


def test_an_import_says_what_is_new(beside: Cli, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("device_id,kit_id\nmore1,morekit\n", encoding="utf-8")
    expected = {"devices_new": 1, "devices_unchanged": 0, "kits_new": 1}
    assert beside("inventory", "import", str(file), "--json").json == expected
    assert "devices_unchanged  1" in beside("inventory", "import", str(file)).out


def test_an_import_reads_standard_input(up: Up) -> None:
    done = subprocess.run(
        [*PROGRAM, "inventory", "import", "-", "--json", "--data-dir", str(up.folder)],
        input=INVENTORY.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b'{"devices_new":0,"devices_unchanged":201,"kits_new":0}\n'


def test_conflicts_are_told_line_by_line(beside: Cli, tmp_path: Path) -> None:
    file = tmp_path / "conflicts.csv"
    file.write_text("device_id\nnew1\nemu1\nbad id\n", encoding="utf-8")
    answer = beside("inventory", "import", str(file))
    assert answer.code == 3
    assert answer.err.splitlines()[1:] == [
        "  line 3: device emu1 is in the inventory with other data",
        "  line 4: device_id cannot be used: bad_character",
    ]
    problem = beside("inventory", "import", str(file), "--json").problem
    assert problem["type"] == "inventory-conflict"
    assert [error["line"] for error in problem["errors"]] == [3, 4]


def test_a_file_that_is_not_there_is_named(beside: Cli, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        answer = beside("inventory", "import", str(path))
        assert answer.code == 2
        assert str(path) in answer.err


def test_status_and_verify_look_at_the_running_servers(beside: Cli) -> None:
    found = beside("status", "--json")
    assert (found.code, found.json["healthy"]) == (0, True)
    assert "database" in beside("status").out
    assert beside("verify", "--json").json == []
    assert beside("verify").out == "Every invariant holds.\n"


def test_status_of_a_broken_broker_ends_with_2(beside: Cli) -> None:
    beside.environment.setenv("CLAIMD_BROKER_URL", "redis://127.0.0.1:1")
    found = beside("status", "--json")
    assert (found.code, found.json["healthy"]) == (2, False)


def test_broken_invariants_end_with_1(cli: Cli, database_url: str) -> None:
    cli.environment.setenv("CLAIMD_DATABASE_URL", database_url)
    cli.environment.setenv("CLAIMD_SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into claim values (1, 1, 1, now())")
    answer = cli("verify")
    assert answer.code == 1
    assert "claim" in answer.out
    assert cli("verify", "--json").json[0]["invariant"]


def test_migrate_twice_is_harmless(cli: Cli, database_url: str) -> None:
    cli.environment.setenv("CLAIMD_DATABASE_URL", database_url)
    assert cli("migrate", "--json").json == cli("migrate", "--json").json
