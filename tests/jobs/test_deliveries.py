"""A worker that dies while it delivers costs nothing but a second attempt under the same ID."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.claims import Sender, send
from tests.deliveries import add_endpoint, age, fetch_deliveries, shown_secret, tell
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import CSV
from tests.jobs.programs import worker
from tests.receiver import Receiver, running_receiver
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import PeriodicTask


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Those of an installation whose receivers are on this machine."""
    return settings.model_copy(update={"webhook_allow_private": True, "webhook_timeout": timedelta(seconds=30)})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real one."""
    with running_receiver() as started:
        yield started


def test_what_a_killed_worker_had_sent_is_sent_again_under_the_same_id(
    settings: Settings, ringing: Runtime, sender: Sender, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint = add_endpoint(ringing, sender, receiver.url + "/hang")
    tell(ringing, sender)
    with worker(settings, tmp_path / "worker.log") as program:
        ringing.doorbell.nudge(PeriodicTask.DELIVER)
        wait_until(lambda: receiver.at("/hang"))
        for child in program.children:
            child.kill()
        with ringing.transaction() as connection:
            values = {"target": receiver.url + "/a", "key": endpoint}
            connection.execute(text("update endpoint set target = :target where key = :key"), values)
        age(ringing, timedelta(minutes=1))
        ringing.doorbell.nudge(PeriodicTask.DELIVER)
        wait_until(lambda: fetch_deliveries(ringing)[0]["state"] == "delivered", 30)
    (delivered,) = fetch_deliveries(ringing)
    assert [each.event_id for each in receiver.received] == [delivered["event_id"]] * 2
    assert (delivered["attempts"], delivered["fence"]) == (1, 2)


def test_the_end_of_a_batch_is_told_at_once(
    settings: Settings, ringing: Runtime, sender: Sender, receiver: Receiver, tmp_path: Path
) -> None:
    add_endpoint(ringing, sender, receiver.url + "/a")
    with worker(settings, tmp_path / "worker.log"):
        batch_id = send(ringing, sender, CSV)
        wait_until(lambda: receiver.received, 30)
    (received,) = receiver.received
    document = received.verified(shown_secret())
    assert (document["type"], document["data"]["batch_id"]) == ("batch.completed", batch_id)
