"""Prepaid time that starts on a wished day: of a batch, or of a single row."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from dateutil.tz import gettz, resolve_imaginary
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, outcomes
from tests.clock import pass_time
from worker.accounts import set_time_zone
from worker.batches import cancel, confirm, get_batch, work
from worker.batches.dates import check_activation_date
from worker.errors import Invalid
from worker.queries.clock import business_now
from worker.reports import results_page
from worker.runtime import Runtime
from worker.settings import Settings

DEVICES = [f"a{number}" for number in range(1, 8)]


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    sized = settings.model_copy(update={"chunk_size": request.param})
    return Runtime(sized, runtime.engine, runtime.keys, runtime.doorbell)


@pytest.fixture
def sender(world: Runtime) -> Sender:
    add_devices(world, DEVICES)
    return new_sender(world, "north")


def today(runtime: Runtime, zone: str = "UTC") -> date:
    with runtime.transaction() as connection:
        return business_now(connection).astimezone(ZoneInfo(zone)).date()


def in_days(runtime: Runtime, days: int) -> date:
    return today(runtime) + timedelta(days=days)


def schedules(runtime: Runtime) -> dict[str, datetime]:
    """When devices start that do not start with their batch."""
    query = text("""
        select d.device_id, s.activate_at from subscription s join device d on d.key = s.device_key
        where s.state = 'scheduled'""")
    with runtime.transaction() as connection:
        return {row[0]: row[1].astimezone(UTC) for row in connection.execute(query)}


def midnight(day: date, zone: str = "UTC") -> datetime:
    """The first moment of a day, by another library than the product's."""
    local = datetime(day.year, day.month, day.day, tzinfo=gettz(zone))
    return resolve_imaginary(local).astimezone(UTC)


def moment(document: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(document[name])


def table(*rows: tuple[str, object]) -> bytes:
    return "".join(f"{device},{day}\n" for device, day in (("device_id", "activate_on"), *rows)).encode()


def test_a_batch_starts_on_its_day(world: Runtime, sender: Sender) -> None:
    day = in_days(world, 40)
    batch = claim(world, sender, b"a1\na2\na3\n", activate_on=day)
    assert batch["activate_on"] == day.isoformat()
    assert moment(batch, "activate_at") == midnight(day)
    assert moment(batch, "hold_until") < midnight(day)
    assert schedules(world) == {}


def test_without_a_day_it_starts_when_the_hold_window_is_over(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\n")
    assert (batch["activate_on"], batch["activate_at"]) == (None, batch["hold_until"])


def test_today_starts_when_the_hold_window_is_over(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\n", activate_on=today(world))
    assert batch["activate_at"] == batch["hold_until"]


def test_only_days_from_today_to_24_months_ahead_can_be_wished_for(runtime: Runtime) -> None:
    sender = new_sender(runtime, "north")
    organization = sender.principal.organization_key
    first = today(runtime)
    last = first + relativedelta(months=24)
    with runtime.transaction() as connection:
        for day in (first, last):
            check_activation_date(connection, organization, day)
        for day in (first - timedelta(days=1), last + timedelta(days=1), date.min, date.max):
            with pytest.raises(Invalid, match=f"from {first} to {last}") as refused:
                check_activation_date(connection, organization, day)
            assert refused.value.extensions == {"parameter": "activate_on"}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_is_one_of_the_organizations_time_zone(runtime: Runtime, zone: str) -> None:
    sender = new_sender(runtime, "far")
    set_time_zone(runtime, sender.principal.organization_id, zone)
    add_devices(runtime, ["a1"])
    day = today(runtime, zone) + timedelta(days=3)
    assert moment(claim(runtime, sender, b"a1\n", activate_on=day), "activate_at") == midnight(day, zone)
    yesterday = today(runtime, zone) - timedelta(days=1)
    with pytest.raises(Invalid), runtime.transaction() as connection:
        check_activation_date(connection, sender.principal.organization_key, yesterday)


def test_a_preview_keeps_its_day_also_when_it_has_become_past(world: Runtime, sender: Sender) -> None:
    day = in_days(world, 2)
    batch = claim(world, sender, b"a1\na2\na3\n", preview=True, activate_on=day)
    assert (batch["activate_on"], batch["activate_at"]) == (day.isoformat(), None)
    pass_time(world, days=5)
    confirm(world, sender.principal, batch["id"], require_unchanged=True)
    carry_out(world, batch["id"])
    done = get_batch(world, sender.principal, batch["id"])
    assert (done["state"], done["activate_at"]) == ("completed", done["hold_until"])


def test_rows_start_on_days_of_their_own(world: Runtime, sender: Sender) -> None:
    early, usual, late = (in_days(world, days) for days in (10, 20, 30))
    rows = [("a1", early), ("a2", ""), ("a3", late), ("a4", f"{late}T00:00:00"), ("a5", f" {early} 00:00:00 ")]
    batch = claim(world, sender, table(*rows, ("a6", usual)), activate_on=usual)
    assert batch["totals"] == {"claimed": 6}
    assert moment(batch, "activate_at") == midnight(usual)
    assert schedules(world) == {
        "a1": midnight(early),
        "a3": midnight(late),
        "a4": midnight(late),
        "a5": midnight(early),
    }


def test_a_row_that_says_today_starts_with_the_hold_window_though_its_batch_waits(
    world: Runtime, sender: Sender
) -> None:
    rows = table(("a1", today(world)), ("a2", ""), ("a3", ""))
    batch = claim(world, sender, rows, activate_on=in_days(world, 9))
    assert schedules(world) == {"a1": moment(batch, "hold_until")}


def test_a_day_that_cannot_be_used_makes_its_row_invalid(world: Runtime, sender: Sender) -> None:
    yesterday, beyond = in_days(world, -1), today(world) + relativedelta(months=24) + timedelta(days=1)
    bad = ["31.01.2027", "2027-02-30", "tomorrow", yesterday, beyond, f"{in_days(world, 3)}T08:00:00"]
    batch = claim(world, sender, table(*zip(DEVICES, bad, strict=False), ("a7", "")))
    assert batch["totals"] == {"claimed": 1, "invalid_identifier": 6}
    told = results_page(world, sender.principal, batch["id"])["items"]
    assert all(item["detail"].startswith("bad_activation_date") for item in told[:6])
    assert "2027-01-31" in told[0]["hint"]
    assert told[0]["input"] == {"device_id": "a1", "activate_on": "31.01.2027"}
    assert schedules(world) == {}


def test_an_identifier_that_cannot_be_used_is_told_first(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, table(("1.23E+19", "soon"), ("nope", "soon"), ("a1", ""), ("a2", ""), ("a3", "")))
    told = [item["detail"] for item in results_page(world, sender.principal, batch["id"])["items"]]
    assert told[0].startswith("mangled_by_spreadsheet")
    assert told[1].startswith("bad_activation_date")


def test_of_rows_for_the_same_device_the_first_has_its_day(world: Runtime, sender: Sender) -> None:
    first, second = in_days(world, 10), in_days(world, 20)
    rows = table(("a1", first), ("a1", second), ("a2", ""), ("a2", second), ("a3", "soon"), ("a3", second))
    batch = claim(world, sender, rows)
    assert [outcome for *_, outcome in outcomes(world, batch["id"])] == [
        "claimed",
        "duplicate",
        "claimed",
        "duplicate",
        "invalid_identifier",
        "claimed",
    ]
    assert schedules(world) == {"a1": midnight(first), "a3": midnight(second)}


def test_a_kit_starts_as_a_whole_and_pairs_too(world: Runtime, sender: Sender) -> None:
    add_devices(world, ["k1", "k2", "k3"], kit="box")
    add_devices(world, ["p1", "p2"], codes=True)
    day = in_days(world, 10)
    rows = f"kit_id,serial_number,claim_code,Activate On\nbox,,,{day}\n,sn-p1,code-p1,{day}\n,sn-p2,code-p2,never\n"
    batch = claim(world, sender, rows.encode())
    assert batch["totals"] == {"claimed": 4, "invalid_identifier": 1}
    assert schedules(world) == dict.fromkeys(["k1", "k2", "k3", "p1"], midnight(day))


def test_only_what_is_claimed_is_scheduled(world: Runtime, sender: Sender) -> None:
    rival, day = new_sender(world, "south"), in_days(world, 10)
    claim(world, rival, b"a1\n")
    claim(world, sender, b"a2\n")
    preview = claim(world, sender, table(("a1", day), ("a2", day), ("a3", day), ("nope", day)), preview=True)
    assert schedules(world) == {}
    confirm(world, sender.principal, preview["id"], require_unchanged=False)
    carry_out(world, preview["id"])
    assert schedules(world) == {"a3": midnight(day)}


def test_days_of_rows_are_measured_by_the_day_on_which_the_file_came(world: Runtime, sender: Sender) -> None:
    day = in_days(world, 1)
    preview = claim(world, sender, table(("a1", day), ("a2", ""), ("a3", "")), preview=True)
    pass_time(world, days=5)
    confirm(world, sender.principal, preview["id"], require_unchanged=True)
    carry_out(world, preview["id"])
    done = get_batch(world, sender.principal, preview["id"])
    assert (done["state"], done["totals"]) == ("completed", {"claimed": 3})
    assert schedules(world) == {}


def test_what_was_claimed_before_a_cancellation_keeps_its_day(runtime: Runtime, settings: Settings) -> None:
    world = Runtime(settings.model_copy(update={"chunk_size": 2}), runtime.engine, runtime.keys, runtime.doorbell)
    add_devices(world, DEVICES)
    sender, day = new_sender(world, "north"), in_days(world, 10)
    upload = table(*((device, day) for device in DEVICES))
    batch_id = claim(world, sender, upload, preview=True)["id"]
    confirm(world, sender.principal, batch_id, require_unchanged=False)
    work.run_resolve(world, batch_id)
    work.run_apply(world, batch_id)
    cancel(world, sender.principal, batch_id)
    carry_out(world, batch_id)
    assert get_batch(world, sender.principal, batch_id)["totals"] == {"claimed": 2, "not_processed": 5}
    assert schedules(world) == dict.fromkeys(["a1", "a2"], midnight(day))


# Where clocks go forward at midnight, the day begins at one o'clock.
MISSING_MIDNIGHTS = [
    ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00+00:00"),
    ("Africa/Cairo", date(2027, 4, 30), "2027-04-29T22:00:00+00:00"),
    ("Asia/Beirut", date(2027, 3, 28), "2027-03-27T22:00:00+00:00"),
    ("America/Asuncion", date(2023, 10, 1), "2023-10-01T04:00:00+00:00"),
]


@pytest.mark.parametrize(("zone", "day", "expected"), MISSING_MIDNIGHTS)
def test_a_day_without_a_midnight_begins_at_its_first_moment(
    runtime: Runtime, zone: str, day: date, expected: str
) -> None:
    assert midnight(day, zone).isoformat() == expected
    with runtime.transaction() as connection:
        begins = connection.execute(
            text("select cast(:day as date)::timestamp at time zone :zone"), {"day": day, "zone": zone}
        ).scalar_one()
    assert begins.astimezone(UTC).isoformat() == expected


def test_a_row_may_wish_for_a_day_without_a_midnight(runtime: Runtime) -> None:
    sender = new_sender(runtime, "cedar")
    set_time_zone(runtime, sender.principal.organization_id, "Asia/Beirut")
    add_devices(runtime, ["a1", "a2"])
    day = last_sunday_of_march(today(runtime) + timedelta(days=1))
    claim(runtime, sender, table(("a1", day), ("a2", "")))
    assert schedules(runtime) == {"a1": midnight(day, "Asia/Beirut")}
    assert midnight(day, "Asia/Beirut").astimezone(ZoneInfo("Asia/Beirut")).hour == 1


def last_sunday_of_march(after: date) -> date:
    """When clocks go forward at midnight in Beirut, for the first time after a day."""
    sundays = (date(year, 3, 31) - timedelta(days=(date(year, 3, 31).weekday() + 1) % 7) for year in range(2000, 3000))
    return next(day for day in sundays if day >= after)
