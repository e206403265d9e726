"""The daily digest: when it is due, what it tells, and that it tells it once."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender
from tests.clock import pass_time
from worker.digests import digest_csv, get_digest, list_digests, write_digests
from worker.errors import Forbidden, Invalid, NotFound
from worker.notifications.message import Message
from worker.notifications.payloads import webhook_body
from worker.queries.clock import business_now
from worker.queries.events import emit_event
from worker.runtime import Runtime
from worker.states import EventType

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
Digest = dict[str, Any]


def till_seven(runtime: Runtime, zone: str = "UTC") -> datetime:
    """Let business time go on to just after the next seven in the morning; returns that seven."""
    with runtime.transaction() as connection:
        now = business_now(connection)
        local = now.astimezone(ZoneInfo(zone))
        seven = local.replace(hour=7, minute=0, second=0, microsecond=0)
        seven = seven if seven > local else seven + timedelta(days=1)
    pass_time(runtime, seconds=(seven - now).total_seconds() + 1)
    return seven.astimezone(UTC)


def latest(runtime: Runtime, sender: Sender) -> Digest:
    """The newest digest of the sender's organization."""
    organization = sender.principal.organization_id
    newest = list_digests(runtime, sender.principal, organization, 1, None)["items"][0]
    return get_digest(runtime, sender.principal, organization, date.fromisoformat(newest["date"]))


def execute(runtime: Runtime, statement: str, **values: object) -> Any:
    """Carry a statement out."""
    with runtime.transaction() as connection:
        return connection.execute(text(statement), values)


def start(runtime: Runtime, sender: Sender, *, starts: datetime, ends: datetime) -> None:
    """Let the prepaid time of all that the sender holds begin."""
    execute(
        runtime,
        """insert into subscription (device_key, state, activate_at, starts_at, ends_at)
        select c.device_key, 'active', :starts, :starts, :ends from claim c join project p on p.key = c.project_key
        where p.public_id = :project""",
        starts=starts,
        ends=ends,
        project=sender.project_id,
    )
    execute(runtime, "update activation set done_at = business_now()")


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Whose digests these are."""
    return new_sender(runtime, "Acme")


def test_nothing_is_due_before_the_first_seven_of_an_organization(runtime: Runtime, sender: Sender) -> None:
    assert write_digests(runtime) == 0
    assert list_digests(runtime, sender.principal, sender.principal.organization_id, 10, None)["items"] == []


def test_a_digest_tells_what_ended_once(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a", "b"])
    first = claim(runtime, sender, b"device_id\na\nx\ny\n", file_name="first.csv")
    execute(runtime, "update activation set done_at = business_now()")
    until = till_seven(runtime)
    assert write_digests(runtime) == 1
    assert write_digests(runtime) == 0
    told = latest(runtime, sender)
    assert told["totals"]["batches"] == told["totals"]["claimed"] == 1
    assert told["batches"] == [{"operation": "claim", "state": "completed", "batches": 1}]
    assert told["failures"] == [{"outcome": "not_found", "devices": 2}]
    assert [(each["batch_id"], each["file_name"], each["failed_rows"]) for each in told["files"]] == [
        (first["id"], "first.csv", 2)
    ]
    assert told["claims"] == [{"project_id": sender.project_id, "project": "Acme", "devices": 1}]
    assert told["until"] == until.strftime("%Y-%m-%dT07:00:00.000000Z")

    claim(runtime, sender, b"device_id\nb\n")
    execute(runtime, "update activation set done_at = business_now()")
    till_seven(runtime)
    assert write_digests(runtime) == 1
    again = latest(runtime, sender)
    assert (again["totals"]["batches"], again["totals"]["claimed"], again["files"]) == (1, 1, [])
    assert again["since"] == told["until"]


def test_after_a_week_without_beat_there_is_one_digest_for_all_of_it(runtime: Runtime, sender: Sender) -> None:
    since = till_seven(runtime)
    write_digests(runtime)
    claim(runtime, sender, b"device_id\nx\n")
    pass_time(runtime, days=7)
    assert write_digests(runtime) == 1
    told = latest(runtime, sender)
    assert datetime.fromisoformat(told["since"]) == since
    assert datetime.fromisoformat(told["until"]) == since + timedelta(days=7)
    assert told["totals"]["batches"] == 1


def test_two_beats_at_once_write_each_digest_once(runtime: Runtime) -> None:
    for number in range(20):
        new_sender(runtime, f"org {number}")
    till_seven(runtime)
    with ThreadPoolExecutor(2) as pool:
        written = sum(pool.map(lambda _: write_digests(runtime), range(4)))
    assert written == execute(runtime, "select count(*) from digest").scalar_one() == 20


def test_every_organization_is_told_at_seven_of_its_own_time(runtime: Runtime) -> None:
    execute(runtime, "update clock set ahead = interval '1 day'")
    senders = {zone: new_sender(runtime, zone) for zone in ZONES}
    for zone, sender in senders.items():
        key = sender.principal.organization_key
        execute(runtime, "update organization set time_zone = :zone where key = :key", zone=zone, key=key)
    assert write_digests(runtime) == len(ZONES)
    for zone, sender in senders.items():
        told = latest(runtime, sender)
        local = datetime.fromisoformat(told["until"]).astimezone(ZoneInfo(zone))
        assert (local.hour, local.minute, local.date().isoformat()) == (7, 0, told["date"])


def test_another_time_zone_never_makes_a_second_digest_of_a_day(runtime: Runtime, sender: Sender) -> None:
    till_seven(runtime, "Pacific/Auckland")
    execute(runtime, "update organization set time_zone = 'Pacific/Auckland'")
    assert write_digests(runtime) == 1
    execute(runtime, "update organization set time_zone = 'Pacific/Honolulu'")
    for _ in range(4):
        pass_time(runtime, hours=12)
        write_digests(runtime)
    periods = execute(runtime, "select day, since, due_at from digest order by due_at").all()
    assert [row.day for row in periods] == sorted({row.day for row in periods})
    assert all(later.since == earlier.due_at for earlier, later in pairwise(periods))
    assert latest(runtime, sender)["time_zone"] == "Pacific/Honolulu"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moment=st.datetimes(datetime(1995, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001  # hypothesis adds the zone
    zone=st.sampled_from(ZONES),
)
def test_the_latest_seven_is_the_last_one_that_clocks_there_showed(
    runtime: Runtime, moment: datetime, zone: str
) -> None:
    moment = moment.replace(tzinfo=UTC)
    with runtime.reading() as connection:
        query = text("select latest_seven(:moment, :zone)")
        found = connection.execute(query, {"moment": moment, "zone": zone}).scalar_one()
    local = found.astimezone(ZoneInfo(zone))
    assert found <= moment
    assert (local.hour, local.minute, local.second) == (7, 0, 0)
    tomorrow = datetime.combine(local.date() + timedelta(days=1), local.time(), ZoneInfo(zone))
    assert tomorrow.astimezone(UTC) > moment


def test_activations_and_ends_are_told_by_project(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a", "b"])
    claim(runtime, sender, b"device_id\na\nb\n")
    due = till_seven(runtime)
    start(runtime, sender, starts=due - timedelta(minutes=1), ends=due + timedelta(days=20))
    write_digests(runtime)
    told = latest(runtime, sender)
    ends = (due + timedelta(days=20)).date().isoformat()
    project = {"project_id": sender.project_id, "project": "Acme", "devices": 2}
    assert told["activations"] == [project]
    assert told["ending"] == [{**project, "first": ends}]
    assert told["ending_dates"] == [{"date": ends, "devices": 2}]
    till_seven(runtime)
    write_digests(runtime)
    assert (latest(runtime, sender)["totals"]["activated"], latest(runtime, sender)["totals"]["ending"]) == (0, 2)


def test_a_digest_waits_for_what_should_have_started_before_but_not_for_ever(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a"])
    claim(runtime, sender, b"device_id\na\n")
    pass_time(runtime, hours=1)
    till_seven(runtime)
    assert write_digests(runtime) == 0
    pass_time(runtime, hours=13)
    assert write_digests(runtime) == 1


def test_endpoints_in_trouble_are_told_and_get_the_digest_as_an_event(runtime: Runtime, sender: Sender) -> None:
    key = sender.principal.organization_key
    insert = """insert into endpoint (public_id, organization_key, kind, target, events)
        values (:id, :key, :kind, :target, '{digest.daily,batch.failed}')"""
    execute(runtime, insert, id="end_1", key=key, kind="webhook", target="https://user@example.com:8443/secret?a=b")
    execute(runtime, insert, id="end_2", key=key, kind="email", target="a@example.com")
    with runtime.transaction() as connection:
        assert emit_event(connection, key, EventType.BATCH_FAILED, {}, timedelta(days=3)) == 2
    execute(runtime, "update delivery set state = 'dead', ended_at = clock_timestamp() where endpoint_key % 2 = 1")
    till_seven(runtime)
    assert write_digests(runtime) == 1
    told = latest(runtime, sender)["deliveries"]
    trouble = {"endpoint_id": "end_1", "kind": "webhook", "target": "example.com:8443", "failing": 0, "dead": 1}
    assert told == [{**trouble, "disabled": False}]
    events = execute(runtime, "select data from event where type = 'digest.daily'").scalars().all()
    assert [event["date"] for event in events] == [latest(runtime, sender)["date"]]


def test_the_largest_digest_stays_small(runtime: Runtime) -> None:
    name = "😀" * 200
    sender = new_sender(runtime, name)
    key = sender.principal.organization_key
    execute(
        runtime,
        """with p as (
            insert into project (public_id, organization_key, name)
            select 'prj_' || lpad(n::text, 20, 'x'), :key, n || repeat('😀', 150) from generate_series(1, 30) n
            returning key
        ), e as (
            insert into endpoint (public_id, organization_key, kind, target, events, disabled_at, disabled_reason)
            select 'end_' || lpad(n::text, 20, 'x'), :key, 'email', repeat('😀', 100), '{ping}', now(), 'gone'
            from generate_series(1, 30) n
        ), d as (
            insert into device (device_id, prepaid_months) select 'd' || n, 12 from generate_series(1, 900) n
            returning key
        ), c as (
            insert into claim (device_key, project_key, batch_key, claimed_at)
            select key, (select min(key) from p) + key % 30, 1, now() from d
        ), s as (
            insert into subscription (device_key, state, activate_at, starts_at, ends_at)
            select key, 'active', now, now, now + key % 50 * interval '1 day' + '1 week' from d, business_now() as now
        )
        insert into batch (public_id, organization_key, project_key, mode, preview, source, input_bytes, input_sha256,
            queue, state, rows_total, results_total, totals, failed_rows, created_by, file_name, finished_at, problem)
        select 'bat_' || lpad(p.key::text, 20, 'x'), :key, p.key, 'partial', false, 'devices', 1, sha256(''), 'bulk',
            'rejected', 1, 1, '{"claimed": 1, "not_found": 3}', 1, 'tests', repeat('😀', 1000), clock_timestamp(),
            '{"type": "empty"}'
        from p""",
        key=key,
    )
    till_seven(runtime)
    write_digests(runtime)
    told = latest(runtime, sender)
    assert told["totals"]["activated"] == told["totals"]["ending"] == 900
    message = Message("evt_1", EventType.DIGEST_DAILY, datetime.now(UTC), told["organization_id"], told, None)
    assert "truncated" not in json.loads(webhook_body(runtime.settings, message))["data"]


def test_digests_are_listed_newest_first_page_by_page(runtime: Runtime, sender: Sender) -> None:
    for _ in range(3):
        till_seven(runtime)
        write_digests(runtime)
    organization = sender.principal.organization_id
    first = list_digests(runtime, sender.principal, organization, 2, None)
    rest = list_digests(runtime, sender.principal, organization, 2, first["next_cursor"])
    days = [each["date"] for each in first["items"] + rest["items"]]
    assert (len(days), days) == (3, sorted(days, reverse=True))
    assert rest["next_cursor"] is None
    for cursor in ("WyJub25lIl0", "x"):
        with pytest.raises(Invalid):
            list_digests(runtime, sender.principal, organization, 2, cursor)


def test_a_digest_as_csv_has_a_line_for_each_number_and_nothing_to_run(runtime: Runtime) -> None:
    sender = new_sender(runtime, "=Acme")
    claim(runtime, sender, b"device_id\nx\n", file_name="=cmd.csv")
    till_seven(runtime)
    write_digests(runtime)
    day = date.fromisoformat(latest(runtime, sender)["date"])
    body = digest_csv(runtime, sender.principal, sender.principal.organization_id, day).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(body)))
    assert lines[0] == ["section", "name", "detail", "value"]
    assert ["period", "organization", "", "'=Acme"] in lines
    assert ["totals", "batches", "", "1"] in lines
    assert ["failures", "not_found", "", "1"] in lines
    assert next(line[2:] for line in lines if line[0] == "files") == ["'=cmd.csv", "1"]


def test_only_those_who_see_all_of_an_organization_read_its_digests(runtime: Runtime, sender: Sender) -> None:
    other = new_sender(runtime, "Umbrella").principal
    organization = sender.principal.organization_id
    with pytest.raises(NotFound):
        list_digests(runtime, other, organization, 1, None)
    with pytest.raises(NotFound):
        get_digest(runtime, sender.principal, organization, date(2026, 1, 1))
    limited = type(other)(**{**vars(sender.principal), "roles": frozenset(), "project_keys": frozenset({1})})
    with pytest.raises(Forbidden):
        list_digests(runtime, limited, organization, 1, None)
