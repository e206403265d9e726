"""What costs a batch its attempts: a worker's death does, three of them end it; misfortune does not, ever so often."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.claims import Sender, add_devices, holders, new_sender, outcomes, send
from tests.conftest import SECRET_KEY
from tests.crash.nursery import Nursery
from tests.embedded.waiting import wait_until
from tests.jobs.programs import ALL_QUEUES, Program, kill_tree
from tests.operations import blocked
from tests.servers import running_postgres
from worker.batches import get_batch, resume
from worker.embedded.postgres import EmbeddedPostgres
from worker.operations.verify import verify
from worker.runtime import Runtime, build_runtime
from worker.schema import migrate
from worker.settings import Settings
from worker.tasks.doorbell import CeleryDoorbell
from worker.tasks.environment import environment_of

TIMES = 3
"""As often a worker may die of a batch."""

# Whoever has inserted claims of such devices waits until the gate is open; it stays closed when the server restarts.
_GATE = text("""
    create table gate as select false as closed;
    create function wait_at_gate() returns trigger language plpgsql as '
    begin
        while (select closed from gate) and exists (
            select from inserted join device d on d.key = device_key where d.device_id like ''gated%'')
        loop perform pg_sleep(0.02); end loop;
        return null;
    end';
    create trigger wait_at_gate after insert on claim referencing new table as inserted
        for each statement execute function wait_at_gate()""")
_MOVE_GATE = text("update gate set closed = :closed")
_AT_GATE = text("select pid, client_port from pg_stat_activity where wait_event = 'PgSleep'")
_TERMINATE = text("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")
_HOLD = text("""
    insert into claim (device_key, project_key, batch_key, claimed_at)
    select key, 0, 0, clock_timestamp() from device where device_id = :device""")
_ATTEMPTS = text("""
    select max(w.attempts) from work_item w join batch b on b.key = w.batch_key where b.public_id = :batch""")


@dataclass
class World:
    """A worker, a PostgreSQL of its own, and someone with devices."""

    settings: Settings
    postgres: EmbeddedPostgres
    runtime: Runtime
    sender: Sender
    nursery: Nursery
    folder: Path
    workers: list[Program] = field(default_factory=list)
    made: int = 0

    def start_worker(self) -> None:
        log = self.folder / f"worker-{len(self.workers)}.log"
        arguments = ("worker", *ALL_QUEUES, "--concurrency", "2")
        process = self.nursery.fork(arguments, environment_of(self.settings), log)
        self.workers.append(Program(process, log))
        wait_until(log.exists)
        self.workers[-1].wait_ready()

    def make_devices(self, prefix: str) -> list[str]:
        """Three more devices."""
        self.made += 1
        names = [f"{prefix}{self.made:03}-{number}" for number in range(3)]
        add_devices(self.runtime, names)
        return names

    def send(self, devices: list[str]) -> str:
        return send(self.runtime, self.sender, "\n".join(devices).encode())

    def wait_state(self, batch_id: str, state: str) -> None:
        wait_until(lambda: get_batch(self.runtime, self.sender.principal, batch_id)["state"] == state, 40)

    def move_gate(self, *, closed: bool) -> None:
        with self.runtime.transaction() as connection:
            connection.execute(_MOVE_GATE, {"closed": closed})

    def at_gate(self) -> int | None:
        """The client's port of the connection that waits at the gate."""
        with self.runtime.reading() as connection:
            row = connection.execute(_AT_GATE).first()
        return None if row is None else int(row.client_port)

    def child_at_gate(self) -> psutil.Process:
        """The worker's process behind that connection."""
        wait_until(self.at_gate)
        port = self.at_gate()
        return next(
            child
            for child in self.workers[-1].children
            if any(each.laddr.port == port for each in child.net_connections())
        )

    def attempts(self, batch_id: str) -> int:
        with self.runtime.reading() as connection:
            return int(connection.execute(_ATTEMPTS, {"batch": batch_id}).scalar_one())

    def held(self, batch_id: str) -> int:
        """How many devices are held that the batch reports as claimed."""
        claimed = {device for _, device, outcome in outcomes(self.runtime, batch_id) if outcome == "claimed"}
        return len(claimed & set(holders(self.runtime)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, broker_url: str) -> Iterator[World]:
    """With a gate, open."""
    folder = tmp_path_factory.mktemp("poison")
    with running_postgres(folder / "postgres") as postgres:
        settings = _settings(folder, postgres.url, broker_url)
        runtime = build_runtime(settings, CeleryDoorbell(settings), pool_size=5)
        migrate(runtime.engine)
        with runtime.transaction() as connection:
            connection.execute(_GATE)
        world = World(settings, postgres, runtime, new_sender(runtime, "north"), Nursery(), folder)
        try:
            world.start_worker()
            yield world
        finally:
            world.nursery.close()
            for each in world.workers:
                kill_tree(each.process)
        runtime.doorbell.close(timeout=2)
        runtime.close()


def _settings(folder: Path, database_url: str, broker_url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database_url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": folder / "data",
            "max_attempts": TIMES,
            "sweep_interval": timedelta(seconds=0.2),
            "ring_again_after": timedelta(seconds=0.5),
            "shutdown_grace": timedelta(seconds=0.5),
        }
    )


def test_a_batch_that_ends_its_worker_three_times_fails_alone_and_can_be_resumed(world: World) -> None:
    world.move_gate(closed=True)
    poisonous = world.send(world.make_devices("gated"))
    for _ in range(TIMES):
        doomed = world.child_at_gate()
        other = world.send(world.make_devices("free"))
        world.wait_state(other, "completed")
        assert world.held(other) == 3
        doomed.kill()
        wait_until(lambda: world.at_gate() is None)
    world.wait_state(poisonous, "failed")
    assert get_batch(world.runtime, world.sender.principal, poisonous)["problem"]["type"] == "gave-up"
    assert world.held(poisonous) == 0
    world.move_gate(closed=False)
    resume(world.runtime, world.sender.principal, poisonous)
    world.wait_state(poisonous, "completed")
    assert world.held(poisonous) == 3
    assert verify(world.runtime) == []


def _restart_worker(world: World) -> None:
    assert world.workers[-1].stop() == 0
    world.start_worker()


def _lose_connection(world: World) -> None:
    with world.runtime.transaction() as connection:
        connection.execute(_TERMINATE)


def _restart_postgres(world: World) -> None:
    server = world.postgres.process
    assert server is not None
    os.kill(server.pid, signal.SIGQUIT)  # which means at once
    server.wait(20)
    world.postgres.start()
    world.runtime.engine.dispose()


@pytest.mark.parametrize(
    "misfortune", [_restart_worker, _lose_connection, _restart_postgres], ids=lambda each: each.__name__
)
def test_three_rolling_restarts_or_lost_connections_or_databases_fail_nobody(
    world: World, misfortune: Callable[[World], None]
) -> None:
    world.move_gate(closed=True)
    innocent = world.send(world.make_devices("gated"))
    for _ in range(TIMES):
        wait_until(world.at_gate)
        misfortune(world)
    wait_until(world.at_gate)
    assert world.attempts(innocent) == 1
    world.move_gate(closed=False)
    world.wait_state(innocent, "completed")
    assert world.held(innocent) == 3


def test_three_deadlocks_fail_nobody(world: World) -> None:
    first, second, last = world.make_devices("free")
    with world.runtime.engine.connect() as rival:
        rival.execute(_HOLD, {"device": last})
        innocent = world.send([first, second, last])
        for _ in range(TIMES):
            _make_the_worker_give_way(world, rival, first)
    world.wait_state(innocent, "completed")
    assert world.attempts(innocent) == 1
    assert world.held(innocent) == 3


def _make_the_worker_give_way(world: World, rival: Connection, device: str) -> None:
    """It has claimed the device and waits for one that the rival holds; whoever waits longer is the victim."""
    while True:
        wait_until(blocked(world.runtime))
        attempt = rival.begin_nested()
        try:
            rival.execute(_HOLD, {"device": device})
        except OperationalError:
            continue
        else:
            return
        finally:
            attempt.rollback()
