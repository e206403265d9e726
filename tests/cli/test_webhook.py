"""`claimd webhook` beside a running claimd."""

import pytest

from tests.cli.conftest import Cli, Up
from tests.embedded.waiting import wait_until

# A name that never resolves: nothing leaves this machine.
NOWHERE = "https://hooks.invalid/claimd"


@pytest.fixture
def org(up: Up) -> str:
    """The organization of the running claimd."""
    return str(up.addresses["organization_id"])


def test_an_endpoint_goes_from_its_making_to_its_end(beside: Cli, org: str) -> None:
    made = beside("webhook", "create", NOWHERE, "--org", org, "--event", "batch.failed", "--json").json
    assert made["secret"].startswith("whsec_")
    listed = beside("webhook", "list", "--org", org)
    assert made["id"] in listed.out
    assert made["secret"] not in listed.out
    renewed = beside("webhook", "rotate", made["id"], "--json").json
    assert len(renewed["secrets"]) == 2
    assert beside("webhook", "enable", made["id"]).code == 0
    assert beside("webhook", "delete", made["id"]).code == 0
    assert beside("webhook", "delete", made["id"]).code == 3


def test_a_ping_is_tried_by_the_workers_and_sent_again_on_request(beside: Cli, org: str) -> None:
    endpoint = beside("webhook", "create", NOWHERE, "--org", org, "--event", "batch.failed", "--json").json["id"]
    ping = beside("webhook", "ping", endpoint, "--json").json
    assert ping["state"] == "waiting"

    def tried() -> bool:
        (delivery,) = beside("webhook", "deliveries", endpoint, "--json").json["items"]
        return bool(delivery["attempts"])

    wait_until(tried)
    assert "cannot be looked up" in beside("webhook", "deliveries", endpoint, "--state", "waiting").out
    assert beside("webhook", "replay", ping["id"], "--json").json["state"] == "waiting"
    assert beside("webhook", "replay", "--dead-of", endpoint, "--json").json == {"replayed": 0}
    assert beside("webhook", "replay").code == 2
    beside("webhook", "delete", endpoint)


def test_mail_is_told_from_the_web_by_its_address(beside: Cli, org: str) -> None:
    made = beside("webhook", "create", "ops@example.com", "--org", org, "--event", "batch.failed", "--json").json
    assert (made["kind"], made["secrets"]) == ("email", [])
    refused = beside("webhook", "create", "https://127.0.0.1/", "--org", org, "--json")
    assert (refused.code, refused.problem["parameter"]) == (3, "target")
    beside("webhook", "delete", made["id"])
