"""`claimd digest` on a running claimd."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text

from tests.cli.conftest import Cli, Up
from worker.cli.local import local_runtime
from worker.digests import write_digests


@dataclass(frozen=True)
class Told:
    """An organization that has a digest, and a token of it."""

    organization: str
    options: list[str]


@pytest.fixture
def told(beside: Cli, up: Up) -> Told:
    """An organization that is old enough for a digest."""
    organization = beside("org", "create", "--name", "Acme", "--json").json["id"]
    names = ["--name", "reader", "--role", "viewer"]
    token = beside("token", "create", "--org", organization, *names, "--json").json["secret"]
    with local_runtime(up.folder) as runtime:
        with runtime.transaction() as connection:
            older = "update organization set created_at = created_at - interval '2 days' where public_id = :id"
            connection.execute(text(older), {"id": organization})
        write_digests(runtime)
    return Told(organization, ["--org", organization, "--token", token])


def test_a_digest_is_shown_by_its_day_or_as_the_newest(beside: Cli, told: Told) -> None:
    (newest,) = beside("digest", "list", *told.options, "--json").json["items"]
    assert newest["date"] in beside("digest", "list", *told.options).out
    shown = beside("digest", "show", newest["date"], *told.options, "--json")
    assert (shown.code, shown.json["organization_id"]) == (0, told.organization)
    assert "Acme" in beside("digest", "show", *told.options).out


def test_a_digest_is_a_table_for_spreadsheets(beside: Cli, told: Told) -> None:
    lines = beside("digest", "show", *told.options, "--csv").out.splitlines()
    assert lines[0].removeprefix("\ufeff") == "section,name,detail,value"
    assert "totals,batches,,0" in lines


def test_no_digest_yet_is_said(beside: Cli, up: Up) -> None:
    organization = str(up.addresses["organization_id"])
    assert beside("digest", "show", "2026-01-01", "--org", organization).code == 3
    assert beside("digest", "list", "--org", "org_none").code == 3
