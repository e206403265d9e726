"""What prepaid time adds up to, in the organization's time zone, and device by device."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender
from tests.clock import pass_time
from tests.subscriptions import plan
from worker.accounts import authenticate, create_token
from worker.errors import Invalid, NotFound
from worker.inventory import device
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import SubscriptionState
from worker.subscriptions import (
    Filters,
    activate_due,
    billing,
    expire_due,
    subscription_counts,
    subscription_page,
    subscriptions_csv,
)


@pytest.fixture
def at_once(settings: Settings) -> Iterator[Runtime]:
    """A runtime without a hold window."""
    runtime = build_runtime(settings.model_copy(update={"hold_window": timedelta(0)}))
    yield runtime
    runtime.close()


@pytest.fixture
def north(at_once: Runtime) -> Sender:
    """A project with one device of each state."""
    north = new_sender(at_once, "north")
    add_devices(at_once, ["-short"], months=1)
    add_devices(at_once, ["long", "later"], months=24)
    claim(at_once, north, b"device_id\n-short\n")
    activate_due(at_once)
    pass_time(at_once, days=40)
    expire_due(at_once)
    claim(at_once, north, b"device_id\nlong\nlater\n")
    plan(at_once, "later", timedelta(days=60))
    activate_due(at_once)
    return north


@pytest.fixture
def south(at_once: Runtime, north: Sender) -> Sender:
    """A second project of the same organization, with two scheduled devices."""
    south = new_sender(at_once, "south", north.principal.organization_id)
    add_devices(at_once, ["s1", "s2"])
    claim(at_once, south, b"device_id\ns1\ns2\n")
    return south


def month(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m}"


def months_later(months: int, days: float) -> str:
    began = datetime.now(UTC) + timedelta(days=days)
    years, at = divmod(began.month - 1 + months, 12)
    return f"{began.year + years}-{at + 1:02}"


def test_counts_are_by_state_and_month_in_all_and_by_project(at_once: Runtime, north: Sender, south: Sender) -> None:
    found = subscription_counts(at_once, north.principal, north.principal.organization_id)
    assert found["states"] == {"scheduled": 3, "active": 1, "expired": 1}
    assert found["planned"] == dict(sorted({month(100): 1, month(40): 2}.items()))
    assert found["starts"] == {month(0): 1, month(40): 1}
    assert found["ends"] == {months_later(1, 0): 1, months_later(24, 40): 1}
    assert [(each["project_id"], each["states"]) for each in found["projects"]] == [
        (north.project_id, {"scheduled": 1, "active": 1, "expired": 1}),
        (south.project_id, {"scheduled": 2, "active": 0, "expired": 0}),
    ]


def test_months_are_those_of_the_organizations_time_zone(at_once: Runtime, north: Sender) -> None:
    starts = "timestamptz '2031-12-31 23:30+00'"
    with at_once.transaction() as connection:
        connection.execute(text("alter table subscription disable trigger user"))
        change = f"starts_at = {starts}, ends_at = {starts} + interval '1 year'"
        connection.execute(text(f"update subscription set {change} where state <> 'scheduled'"))
    for zone, expected in (("UTC", "2031-12"), ("Europe/Berlin", "2032-01")):
        with at_once.transaction() as connection:
            connection.execute(text("update organization set time_zone = :zone"), {"zone": zone})
        found = subscription_counts(at_once, north.principal, north.principal.organization_id)
        assert (found["time_zone"], found["starts"]) == (zone, {expected: 2})


def test_the_csv_has_every_device_once_also_beyond_one_window(
    at_once: Runtime, north: Sender, south: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "_WINDOW", 2)
    body = b"".join(subscriptions_csv(at_once, south.principal, south.principal.organization_id, Filters()))
    lines = list(csv.DictReader(StringIO(body.decode())))
    assert [(line["device_id"], line["state"], line["prepaid_months"]) for line in lines] == [
        ("'-short", "expired", "1"),
        ("long", "active", "24"),
        ("later", "scheduled", "24"),
        ("s1", "scheduled", "12"),
        ("s2", "scheduled", "12"),
    ]
    assert {line["project_id"] for line in lines[:3]} == {north.project_id}
    assert [bool(line["starts_at"]) for line in lines] == [True, True, False, False, False]
    assert all(line["activate_at"] and line["claimed_at"] and line["batch_id"] for line in lines)


def test_pages_and_filters_agree_with_the_whole(at_once: Runtime, north: Sender, south: Sender) -> None:
    organization = south.principal.organization_id

    def ids(**filters: object) -> list[str]:
        found, cursor = [], None
        while True:
            page = subscription_page(at_once, north.principal, organization, Filters(**filters), 2, cursor)  # type: ignore[arg-type]
            found += [item["device_id"] for item in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                return found

    assert ids() == ["-short", "long", "later", "s1", "s2"]
    assert ids(state=SubscriptionState.SCHEDULED) == ["later", "s1", "s2"]
    assert ids(project_id=south.project_id) == ["s1", "s2"]
    assert ids(ends_before=datetime.now(UTC) + timedelta(days=300)) == ["-short"]
    with pytest.raises(Invalid):
        ids(ends_before=datetime(2030, 1, 1))  # noqa: DTZ001  # what is refused
    with pytest.raises(NotFound):
        ids(project_id="prj_none")


def test_only_the_own_organization_and_visible_projects_are_shown(
    at_once: Runtime, north: Sender, south: Sender
) -> None:
    organization = north.principal.organization_id
    stranger = new_sender(at_once, "stranger")
    with pytest.raises(NotFound):
        subscription_counts(at_once, stranger.principal, organization)
    with pytest.raises(NotFound):
        subscriptions_csv(at_once, stranger.principal, organization, Filters())
    token = create_token(at_once, organization, "viewer", ["viewer"], [south.project_id])
    viewer = authenticate(at_once, token.secret)
    assert viewer is not None
    found = subscription_counts(at_once, viewer, organization)
    assert [each["project_id"] for each in found["projects"]] == [south.project_id]
    assert found["states"]["scheduled"] == 2
    with pytest.raises(NotFound):
        subscription_page(at_once, viewer, organization, Filters(project_id=north.project_id), 10, None)


def test_a_device_shows_its_prepaid_time(at_once: Runtime, runtime: Runtime, north: Sender) -> None:
    found = {name: device(at_once, north.principal, name)["subscription"] for name in ("-short", "long", "later")}
    assert [each["state"] for each in found.values()] == ["expired", "active", "scheduled"]
    assert [each["prepaid_months"] for each in found.values()] == [1, 24, 24]
    assert found["later"]["starts_at"] is None
    assert found["long"]["starts_at"] == found["long"]["activate_at"] < found["long"]["ends_at"]
    add_devices(runtime, ["held"])
    batch = claim(runtime, north, b"device_id\nheld\n")
    assert device(runtime, north.principal, "held")["subscription"] == {
        "state": "scheduled",
        "prepaid_months": 12,
        "activate_at": batch["activate_at"],
        "starts_at": None,
        "ends_at": None,
    }
