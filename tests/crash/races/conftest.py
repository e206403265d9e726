"""Processes that carry out single steps, and barriers at which they meet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.claims import Sender, add_devices, new_sender, send
from tests.crash.races.hand import Hand, Hands
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.operations import blocked
from worker.batches import work
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import WorkKind

DEVICES = ["d1", "d2", "d3", "d4"]
HandOf = Callable[[WorkKind, str], Hand]

# After the insert of claims, also one that inserts nothing, and before the look at who holds them.
_BETWEEN_INSERT_AND_LOOK = text("""
    create function wait_here() returns trigger language plpgsql
        as 'begin perform pg_advisory_xact_lock_shared(17); return null; end';
    create trigger wait_here after insert on claim for each statement execute function wait_here()""")


@dataclass(frozen=True)
class Barrier:
    """Where whoever has inserted its claims waits until it is opened."""

    runtime: Runtime
    connection: Connection

    def wait_reached(self) -> None:
        wait_until(blocked(self.runtime))

    def close(self) -> None:
        self.connection.execute(text("select pg_advisory_xact_lock(17)"))

    def open(self) -> None:
        self.connection.rollback()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a hold window that does not end in the middle of a test."""
    return settings.model_copy(update={"hold_window": timedelta(hours=1)})


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """The database as the test sees it."""
    runtime = build_runtime(settings, pool_size=6)
    yield runtime
    runtime.close()


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with a few devices to claim."""
    add_devices(runtime, DEVICES)
    return new_sender(runtime, "north")


@pytest.fixture
def rival(runtime: Runtime, sender: Sender) -> Sender:
    """Another project of the same organization."""
    return new_sender(runtime, "south", sender.principal.organization_id)


@pytest.fixture(scope="package")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tmp_path_factory.mktemp("races") / "places")


@pytest.fixture(scope="package")
def _hands(_places: Places) -> Iterator[Hands]:
    with Hands(_places.folder) as hands:
        yield hands


@pytest.fixture
def places(_places: Places) -> Iterator[Places]:
    """Where hands can be held."""
    yield _places
    for left in _places.folder.iterdir():
        left.unlink()


@pytest.fixture
def hand(settings: Settings, _hands: Hands, places: Places, tmp_path: Path) -> Iterator[HandOf]:  # noqa: ARG001  # outlived
    """Starts processes; what is left of them is killed in the end."""
    numbers = count()
    yield lambda kind, batch_id: _hands.start(settings, tmp_path / f"hand-{next(numbers)}", kind, batch_id)
    _hands.end()


@pytest.fixture
def barrier(runtime: Runtime) -> Iterator[Barrier]:
    """Closed."""
    with runtime.transaction() as connection:
        connection.execute(_BETWEEN_INSERT_AND_LOOK)
    with runtime.engine.connect() as connection:
        barrier = Barrier(runtime, connection)
        barrier.close()
        yield barrier


def hand_out(runtime: Runtime, sender: Sender) -> str:
    """A batch of all devices, cut into chunks of two, none of which is applied yet."""
    in_small_chunks = replace(runtime, settings=runtime.settings.model_copy(update={"chunk_size": 2}))
    batch_id = send(runtime, sender, "\n".join(DEVICES).encode())
    work.run_resolve(in_small_chunks, batch_id)
    return batch_id


def work_items(runtime: Runtime, kind: WorkKind) -> list[dict[str, Any]]:
    """All work items of this kind."""
    query = text("select * from work_item where kind = :kind order by key")
    with runtime.transaction() as connection:
        return [dict(row) for row in connection.execute(query, {"kind": kind}).mappings()]
