"""Deliveries arrive at least once, in order for each batch, and no receiver stands in another's way."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, new_sender
from tests.deliveries import (
    add_endpoint,
    age,
    deliver_all,
    fetch_deliveries,
    fetch_endpoint,
    shown_secret,
    tell,
)
from tests.embedded.waiting import wait_until
from tests.receiver import Receiver, running_receiver
from worker.database import build_engine
from worker.notifications.backoff import pause_after
from worker.operations.deliveries import deliver
from worker.operations.verify import verify
from worker.queries.deliveries import PATIENCE, Taken, Terms, Told, disable_endpoint, record_told, take_due
from worker.queries.events import emit_event
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import EndpointKind, EventType


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Impatient ones, for receivers on this machine."""
    return settings.model_copy(update={"webhook_allow_private": True, "webhook_timeout": timedelta(seconds=2)})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real one."""
    with running_receiver() as started:
        yield started


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone whose organization wants to know."""
    return new_sender(runtime, "acme")


def test_each_event_arrives_once_at_each_endpoint_and_is_signed(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    for path in ("/a", "/b"):
        add_endpoint(runtime, sender, receiver.url + path)
    tell(runtime, sender, 30)
    assert deliver(runtime) == 60
    events = {each["event_id"] for each in fetch_deliveries(runtime)}
    for path in ("/a", "/b"):
        assert Counter(each.event_id for each in receiver.at(path)) == dict.fromkeys(events, 1)
    assert receiver.received[0].verified(shown_secret())["type"] == "ping"
    assert {(each["state"], each["attempts"], each["last_status"]) for each in fetch_deliveries(runtime)} == {
        ("delivered", 1, 204)
    }
    assert deliver(runtime) == 0


def test_what_failed_is_sent_again_with_the_same_id(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    receiver.script["/a"] = [(500, {}), (302, {"Location": "/b"})]
    tell(runtime, sender)
    assert [deliver(runtime), deliver(runtime)] == [1, 0]
    (waiting,) = fetch_deliveries(runtime)
    assert (waiting["state"], waiting["attempts"], waiting["last_status"]) == ("waiting", 1, 500)
    deliver_all(runtime)
    (delivered,) = fetch_deliveries(runtime)
    assert (delivered["state"], delivered["attempts"], delivered["last_error"]) == ("delivered", 3, None)
    assert [each.event_id for each in receiver.received] == [delivered["event_id"]] * 3


def test_deliveries_of_one_batch_arrive_in_order_and_those_of_others_do_not_wait(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    for batch in (1, 2, 1, 1):
        tell(runtime, sender, batch=batch)
    first, other, second, third = (each["event_id"] for each in fetch_deliveries(runtime))
    receiver.script["/a"] = [(500, {})] * 2
    deliver(runtime)
    assert {each.event_id for each in receiver.received} == {first, other}
    deliver_all(runtime)
    came = [each.event_id for each in receiver.received]
    assert came.index(second) > max(place for place, each in enumerate(came) if each == first)
    assert came[-2:] == [second, third]


def test_a_receiver_that_hangs_delays_no_other(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    hanging = add_endpoint(runtime, sender, receiver.url + "/hang")
    add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender, 100)
    deliver(runtime)
    assert len(receiver.at("/a")) == 100
    last = max(place for place, each in enumerate(receiver.received) if each.path == "/a")
    few = PATIENCE + runtime.settings.webhook_concurrency
    assert sum(each.path == "/hang" for each in receiver.received[:last]) <= few
    tried = [each for each in fetch_deliveries(runtime, hanging) if each["attempts"]]
    assert len(tried) <= few
    assert {each["last_error"] for each in tried} == {"no answer within 2 seconds"}


def test_410_disables_its_endpoint_and_no_other(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    gone = add_endpoint(runtime, sender, receiver.url + "/status/410")
    well = add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender, 20)
    deliver(runtime)
    assert {each["state"] for each in fetch_deliveries(runtime, gone)} == {"dead"}
    assert {each["state"] for each in fetch_deliveries(runtime, well)} == {"delivered"}
    assert "410" in fetch_endpoint(runtime, gone)["disabled_reason"]
    assert len(receiver.at("/status/410")) <= runtime.settings.webhook_concurrency
    tell(runtime, sender)
    assert len(fetch_deliveries(runtime, gone)) == 20
    assert verify(runtime) == []


def test_what_never_succeeds_is_dead_after_its_lifetime(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    endpoint = add_endpoint(runtime, sender, receiver.url + "/status/500")
    tell(runtime, sender)
    deliver(runtime)
    age(runtime, timedelta(days=2, hours=23, minutes=59, seconds=59))
    deliver(runtime)
    (dead,) = fetch_deliveries(runtime)
    assert (dead["state"], dead["attempts"], dead["last_error"]) == ("dead", 2, "HTTP 500: so [31m it is")
    assert fetch_endpoint(runtime, endpoint)["failures"] == 2


def test_what_could_not_be_tried_is_given_up_once_its_endpoint_has_failed_for_as_long(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    add_endpoint(runtime, sender, receiver.url + "/status/500")
    tell(runtime, sender, 50)
    deliver(runtime)
    untried = [each["key"] for each in fetch_deliveries(runtime) if not each["attempts"]]
    assert len(untried) > 30
    age(runtime, runtime.settings.delivery_lifetime + timedelta(seconds=5))
    assert deliver(runtime) == 50
    assert {(each["state"], each["attempts"] <= 1) for each in fetch_deliveries(runtime)} == {("dead", True)}


def test_an_outage_of_claimd_costs_no_delivery_its_attempt(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender, 10)
    age(runtime, timedelta(days=7))
    deliver(runtime)
    assert {each["state"] for each in fetch_deliveries(runtime)} == {"delivered"}


def test_an_endpoint_in_trouble_is_probed_and_gets_all_when_it_is_well_again(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    endpoint = add_endpoint(runtime, sender, receiver.url + "/a")
    receiver.script["/a"] = [(503, {})] * (PATIENCE + 6)
    tell(runtime, sender, 100)
    deliver(runtime)
    tried = len(receiver.received)
    assert PATIENCE <= tried < PATIENCE + runtime.settings.webhook_concurrency
    assert fetch_endpoint(runtime, endpoint)["retry_at"] is not None
    assert deliver(runtime) == 0
    age(runtime, timedelta(minutes=1))
    assert deliver(runtime) == 1
    deliver_all(runtime)
    well = fetch_endpoint(runtime, endpoint)
    assert (well["failures"], well["failing_since"], well["retry_at"]) == (0, None, None)
    assert {each["state"] for each in fetch_deliveries(runtime)} == {"delivered"}


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    receiver.script["/a"] = [(429, {"Retry-After": "3600"})]
    tell(runtime, sender)
    deliver(runtime)
    tell(runtime, sender)
    age(runtime, timedelta(minutes=59))
    assert deliver(runtime) == 0
    age(runtime, timedelta(minutes=2))
    deliver_all(runtime)
    assert len(receiver.received) == 3


def test_two_runs_at_once_send_nothing_twice(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    for path in ("/a", "/b", "/c"):
        add_endpoint(runtime, sender, receiver.url + path)
    tell(runtime, sender, 100)
    runs = [threading.Thread(target=deliver, args=(runtime,)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(receiver.received) == len({(each.path, each.event_id) for each in receiver.received}) == 300
    assert {each["state"] for each in fetch_deliveries(runtime)} == {"delivered"}


def test_an_endpoint_has_no_more_leases_than_it_may_whoever_takes_them(runtime: Runtime, sender: Sender) -> None:
    for path in ("/a", "/b"):
        add_endpoint(runtime, sender, f"http://127.0.0.1:9{path}")
    tell(runtime, sender, 10)
    taken = [_take(runtime, room) for room in (5, 5, 5)]
    assert [len(each) for each in taken] == [5, 3, 0]
    assert sorted(Counter(each.endpoint_key for each in taken[0]).values()) == [2, 3]


def test_the_lease_of_a_dead_run_is_taken_over_and_its_word_counts_for_nothing(
    runtime: Runtime, sender: Sender, receiver: Receiver
) -> None:
    add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender)
    (lost,) = _take(runtime)
    assert deliver(runtime) == 0
    age(runtime, timedelta(minutes=1))
    assert deliver(runtime) == 1
    told = Told(lost.key, lost.fence, lost.endpoint_key, delivered=False, status=500, error="late", pause=1.0)
    with runtime.transaction() as connection:
        assert record_told(connection, [told]) == 0
    (delivered,) = fetch_deliveries(runtime)
    assert (delivered["state"], delivered["fence"], delivered["attempts"]) == ("delivered", 2, 1)


def test_what_is_told_while_its_endpoint_is_being_deleted_does_not_wait_for_ever(
    runtime: Runtime, sender: Sender
) -> None:
    endpoint = add_endpoint(runtime, sender, "https://acme.example")
    with runtime.transaction() as connection:
        emit_event(connection, sender.principal.organization_key, EventType.PING, {}, timedelta(days=3))
        deleting = threading.Thread(target=_disable, args=(runtime, endpoint))
        deleting.start()
        wait_until(lambda: _is_blocked(runtime))
    deleting.join()
    assert [each["state"] for each in fetch_deliveries(runtime)] == ["dead"]


def test_the_fault_of_one_delivery_is_no_others(runtime: Runtime, sender: Sender, receiver: Receiver) -> None:
    broken = add_endpoint(runtime, sender, receiver.url + "/broken")
    with runtime.transaction() as connection:
        connection.execute(text("update endpoint_secret set sealed = 'unreadable: of another key'"))
    well = add_endpoint(runtime, sender, receiver.url + "/a")
    tell(runtime, sender, 3)
    deliver(runtime)
    assert "InvalidTag" in fetch_deliveries(runtime, broken)[0]["last_error"]
    assert {each["state"] for each in fetch_deliveries(runtime, well)} == {"delivered"}


def test_pauses_double_up_to_six_hours_and_are_spread_by_chance() -> None:
    for failures, longest in ((1, 5), (2, 10), (5, 80), (14, 21_600), (1_000, 21_600)):
        pauses = [pause_after(failures) for _ in range(200)]
        assert 1 <= min(pauses) < longest / 2 < max(pauses) <= longest
    assert pause_after(1, asked=600) == 600
    assert pause_after(1, asked=1e9) == 24 * 60 * 60


def _disable(runtime: Runtime, endpoint: int) -> None:
    with runtime.transaction() as connection:
        disable_endpoint(connection, endpoint, "deleted")


def _is_blocked(runtime: Runtime) -> bool:
    engine = build_engine(runtime.settings.require_database_url(), pool_size=1)
    with engine.connect() as connection:
        blocked = connection.execute(text("select exists (select from pg_locks where not granted)")).scalar()
    engine.dispose()
    return bool(blocked)


def _take(runtime: Runtime, room: int = 10) -> list[Taken]:
    with runtime.transaction() as connection:
        return list(take_due(connection, Terms(EndpointKind.WEBHOOK, room, 4, timedelta(seconds=30))))
