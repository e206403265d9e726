"""How commands find a claimd, and where they send its token."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Up
from worker.cli.discovery import discover, find_api
from worker.errors import EnvironmentProblem


def test_a_running_claimd_is_found_by_its_data_folder(cli: Cli, up: Up) -> None:
    assert cli("org", "list", "--data-dir", str(up.folder)).code == 0
    assert cli("batch", "list", "--data-dir", str(up.folder)).code == 0
    settings = discover(up.folder)
    assert settings.require_broker_url() == up.addresses["broker_url"]


def test_a_running_claimd_is_found_by_its_database(cli: Cli, up: Up) -> None:
    cli.environment.setenv("CLAIMD_DATABASE_URL", up.addresses["database_url"])
    assert cli("org", "list").code == 0
    assert cli("batch", "list").code == 0
    assert discover().require_broker_url() == up.addresses["broker_url"]


def test_settings_are_not_mixed_with_those_of_another_claimd(
    up: Up, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMD_DATABASE_URL", database_url)
    settings = discover(up.folder)
    assert settings.require_database_url() == database_url
    assert settings.broker_url is None


def test_the_environment_says_where_the_api_is(cli: Cli, up: Up) -> None:
    cli.environment.setenv("CLAIMD_API_URL", up.addresses["api_url"] + "/")
    cli.environment.setenv("CLAIMD_TOKEN", up.addresses["token"])
    assert cli("batch", "list").code == 0


def test_a_token_is_sent_to_its_own_claimd_only(up: Up) -> None:
    own = find_api(up.folder, up.addresses["api_url"], None)
    assert own.token == up.addresses["token"]
    assert own.token not in repr(own)
    with pytest.raises(EnvironmentProblem, match="CLAIMD_TOKEN"):
        find_api(up.folder, "http://127.0.0.1:1", None)


def test_an_api_that_does_not_answer_is_named(cli: Cli) -> None:
    answer = cli("batch", "list", "--api-url", "http://127.0.0.1:1", "--token", "x")
    assert answer.code == 2
    assert "http://127.0.0.1:1 cannot be reached" in answer.err


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1", "http://[::1", "http://127.0.0.1:99999"])
def test_an_address_that_cannot_be_one_is_named(cli: Cli, url: str) -> None:
    answer = cli("batch", "list", "--api-url", url, "--token", "x")
    assert answer.code == 2
    assert answer.err.count("\n") == 1


def test_a_token_that_no_header_can_carry_is_refused(cli: Cli, up: Up) -> None:
    answer = cli("batch", "list", "--api-url", up.addresses["api_url"], "--token", "gehe\u00efm\n")
    assert answer.code == 2


def test_a_damaged_file_of_addresses_is_as_good_as_none(cli: Cli, tmp_path: Path) -> None:
    for text in ("", "[]", "{", json.dumps({"api_url": 7})):
        (tmp_path / "up.json").write_text(text, encoding="utf-8")
        assert cli("batch", "list", "--data-dir", str(tmp_path)).code == 2
        assert cli("org", "list", "--data-dir", str(tmp_path)).code == 2
