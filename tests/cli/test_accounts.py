"""`claimd org`, `claimd project` and `claimd token` on a running claimd."""

from pathlib import Path

import httpx2

from tests.cli.conftest import Cli, Up


def test_accounts_are_made_from_the_organization_to_the_token(beside: Cli, up: Up) -> None:
    org = beside("org", "create", "--name", "Acme", "--json").json["id"]
    project = beside("project", "create", "--org", org, "--name", "Warehouse", "--json").json["id"]
    roles = ["--role", "project_admin", "--project", project, "--expires-in-days", "1"]
    token = beside("token", "create", "--org", org, "--name", "scanner", *roles, "--json").json
    asked = httpx2.get(
        f"{up.addresses['api_url']}/v1/projects/{project}/devices",
        headers={"Authorization": f"Bearer {token['secret']}"},
        trust_env=False,
    )
    assert asked.status_code == 200
    assert [row["id"] for row in beside("project", "list", "--org", org, "--json").json] == [project]
    listed = beside("token", "list", "--org", org)
    assert token["token_id"] in listed.out
    assert token["secret"] not in listed.out


def test_an_organization_moves_to_another_time_zone(beside: Cli) -> None:
    org = beside("org", "create", "--name", "Nordic", "--time-zone", "Europe/Oslo", "--json").json
    assert org["time_zone"] == "Europe/Oslo"
    assert beside("org", "set", org["id"], "--time-zone", "Asia/Tokyo", "--json").json["time_zone"] == "Asia/Tokyo"
    assert "Asia/Tokyo" in beside("org", "list").out
    refused = beside("org", "set", org["id"], "--time-zone", "Mars/Olympus", "--json")
    assert (refused.code, refused.problem["parameter"]) == (3, "time_zone")


def test_a_revoked_token_is_refused(beside: Cli, up: Up) -> None:
    org = str(up.addresses["organization_id"])
    token = beside("token", "create", "--org", org, "--name", "a", "--role", "viewer", "--json").json
    assert beside("batch", "list", "--token", token["secret"]).code == 0
    assert beside("token", "revoke", token["token_id"]).code == 0
    answer = beside("batch", "list", "--token", token["secret"])
    assert answer.code == 3
    assert "valid bearer token" in answer.err


def test_what_cannot_be_made_is_refused(beside: Cli) -> None:
    answer = beside("project", "create", "--org", "org_none", "--name", "a")
    assert answer.code == 3
    assert answer.err == "There is no such thing: There is no organization org_none.\n"
    refused = beside("org", "create", "--name", " ", "--json")
    assert (refused.code, refused.problem["type"], refused.problem["status"]) == (3, "invalid-request", 422)


def test_names_cannot_command_a_terminal(beside: Cli, tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    file.write_text("device_id,\x1b[31m\nemu1,a\n", encoding="utf-8")
    answer = beside("inventory", "import", str(file))
    assert answer.code == 3
    assert "\x1b" not in answer.err
