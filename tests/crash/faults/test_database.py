"""PostgreSQL stops, throws workers out, or refuses them: what was begun is done again, uncounted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import pytest
from sqlalchemy import text

from tests.crash.faults.fragile import APPLYING, Fragile
from tests.crash.scene import large, small
from tests.embedded.waiting import wait_until

_OTHERS = "from pg_stat_activity where datname = current_database() and application_name = 'claimd'"


def test_a_server_that_is_stopped_at_once_in_the_middle_of_a_chunk_and_comes_back(fragile: Fragile) -> None:
    server = fragile.postgres
    with fragile.carrying_out(large, held_at=APPLYING) as scene:
        assert server.process is not None
        server.process.send_signal(signal.SIGQUIT)  # what `pg_ctl stop -m immediate` does
        server.process.wait()
        server.start()
    assert scene.attempts() == {1}


def test_connections_that_are_ended_at_random_all_the_time(fragile: Fragile) -> None:
    over = threading.Event()

    def end_one_after_the_other() -> None:
        with psycopg.connect(fragile.postgres.url, autocommit=True) as connection:
            while not over.wait(0.1):
                connection.execute(
                    f"select pg_terminate_backend(pid) {_OTHERS} and pid <> all(%s) order by random() limit 1", [ours]
                )

    fragile.undisturbed(large)
    with fragile.runtime.transaction() as connection:
        ours = [connection.execute(text("select pg_backend_pid()")).scalar()]
    thread = threading.Thread(target=end_one_after_the_other)
    thread.start()
    try:
        with fragile.carrying_out(large) as scene:
            over.wait(2)
            over.set()
    finally:
        over.set()
        thread.join()
    assert scene.attempts() == {1}


@contextmanager
def _all_connections_taken(url: str) -> Iterator[None]:
    with ExitStack() as stack, psycopg.connect(url, autocommit=True) as connection:
        for _ in range(2):  # whoever is thrown out comes back at once
            connection.execute(f"select pg_terminate_backend(pid) {_OTHERS}")
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(url))
        yield


def test_a_server_that_has_no_connection_left(fragile: Fragile) -> None:
    with fragile.carrying_out(large, held_at=APPLYING), _all_connections_taken(fragile.postgres.url):
        fragile.system.places.release(APPLYING)
        wait_until(lambda: fragile.system.programs["worker"].said("connection slots"))


def test_a_deadlock_with_a_rival_that_locks_in_the_other_order(fragile: Fragile) -> None:
    insert = """
        insert into claim (device_key, project_key, batch_key, claimed_at)
        select key, 0, 0, now() from device where device_id = %s"""
    expected, scene = fragile.undisturbed(small), fragile.new_scene()
    with psycopg.connect(fragile.postgres.url) as rival:
        rival.execute(insert, [scene.devices[19]])
        scene.send(scene.csv(*scene.devices[:20], scene.devices[3], "unknown", "bad id!"))
        wait_until(
            lambda: rival.execute("select exists (select from pg_locks where not granted)").fetchone() == (True,)
        )
        rival.execute(insert, [scene.devices[0]])  # the worker has waited for longer, so it is told first
        rival.rollback()
    fragile.assert_told(scene, expected)
    assert scene.attempts() == {1}
    assert "deadlock detected" in fragile.postgres.log.read_text(encoding="utf-8")


_FAILING = """
    create sequence failure;
    create function fail_at_first() returns trigger language plpgsql as $$ begin
        if nextval('failure') <= {times} then {failure}; end if;
        return new;
    end $$;
    create trigger fail_at_first before insert on claim for each row execute function fail_at_first()"""
_RECOVER = "drop function fail_at_first cascade; drop sequence failure"


@pytest.mark.parametrize(
    ("failure", "times", "attempts"),
    [
        ("raise exception using errcode = '40001'", 3, 1),
        ("raise exception using errcode = '40001'", 7, 1),  # more often than is tried under one lease
        ("raise exception using errcode = '53100'", 1, 1),
        ("perform pg_sleep(60)", 1, 2),  # for all that the database knows, the batch's own fault
    ],
    ids=["serialization", "serialization-for-long", "disk-full", "statement-time-out"],
)
def test_a_statement_that_fails_at_first(fragile: Fragile, failure: str, times: int, attempts: int) -> None:
    with psycopg.connect(fragile.postgres.url, autocommit=True) as connection:
        expected = fragile.undisturbed(small)
        connection.execute(_FAILING.format(failure=failure, times=times))
        try:
            scene = fragile.new_scene()
            small(scene)
            fragile.assert_told(scene, expected)
        finally:
            connection.execute(_RECOVER)
    assert scene.attempts() == {attempts}
