"""What is done to a running claimd, one thing every few seconds."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import psutil
import psycopg
import redis

from tests.soak.installation import Installation
from worker.embedded.service import Service
from worker.states import Queue, WorkKind
from worker.tasks.doorbell import CeleryDoorbell

_Process = psutil.Process | subprocess.Popen[bytes] | None
FROZEN: Final = 3.0
_TERMINATE = """
    select pg_terminate_backend(pid) from (
        select pid from pg_stat_activity
        where backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()
        order by random() limit 3) as chosen"""
_MOVE_CLOCK = "update clock set ahead = ahead + interval '1 hour', moved_at = clock_timestamp()"
_RECENT = "select public_id from batch order by key desc limit 30"


class Faults:
    """Each is named as the table has it."""

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        self._claimd = installation
        self._chance = chance
        self._doorbell = CeleryDoorbell(installation.settings)
        self.kinds: dict[str, Callable[[], None]] = {
            "worker's child killed": lambda: _kill(self._child()),
            "Celery killed": lambda: _kill(self._celery()),
            "worker killed": lambda: _kill(self._worker().process),
            "worker told to stop": lambda: _send(self._worker().process, signal.SIGTERM),
            "API killed": lambda: self._kill_program("api"),
            "beat killed": lambda: self._kill_program("beat"),
            "worker's child frozen": lambda: _freeze(self._child()),
            "API frozen": lambda: _freeze(self._claimd.programs["api"].process),
            "broker killed, empty": self._empty_broker,
            "broker flushed": self._flush,
            "broker frozen": lambda: _freeze(self._claimd.broker.process),
            "PostgreSQL stopped at once": lambda: _send(self._claimd.postgres.process, signal.SIGQUIT),
            "connections ended": self._end_connections,
            "messages reversed, doubled, late": self._disturb_messages,
            "an hour passes": self._pass_an_hour,
        }

    def close(self) -> None:
        """Break nothing any more."""
        self._doorbell.close(timeout=2)

    def _worker(self) -> Service:
        return self._chance.choice(self._claimd.workers)

    def _celery(self) -> psutil.Process | None:
        process = self._worker().process
        return _any(self._chance, psutil.Process(process.pid).children()) if process else None

    def _child(self) -> psutil.Process | None:
        celery = self._celery()
        return _any(self._chance, celery.children()) if celery else None

    def _kill_program(self, name: str) -> None:
        _kill(self._claimd.programs[name].process)

    def _empty_broker(self) -> None:
        self._claimd.broker.loses_all = True
        _kill(self._claimd.broker.process)

    def _flush(self) -> None:
        with redis.Redis.from_url(self._claimd.broker.url, socket_timeout=5) as client:
            client.flushall()

    def _disturb_messages(self) -> None:
        """What waits is doubled and turned round; and once more all is asked for that was asked for lately."""
        with redis.Redis.from_url(self._claimd.broker.url, socket_timeout=5) as client:
            for queue in Queue:
                waiting: list[bytes] = client.lrange(queue.value, 0, 1_000)
                if waiting:
                    client.lpush(queue.value, *waiting)
        for (batch_id,) in self._run(_RECENT):
            for kind in (WorkKind.FINISH, WorkKind.APPLY, WorkKind.RESOLVE):
                self._doorbell.ring(kind, batch_id, self._chance.choice([Queue.INTERACTIVE, Queue.BULK]), times=2)

    def _end_connections(self) -> None:
        self._run(_TERMINATE)

    def _pass_an_hour(self) -> None:
        self._run(_MOVE_CLOCK)

    def _run(self, statement: str) -> Sequence[tuple[str, ...]]:
        url = self._claimd.postgres.url
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _any(chance: random.Random, found: list[psutil.Process]) -> psutil.Process | None:
    return chance.choice(found) if found else None


def _send(victim: _Process, number: signal.Signals) -> None:
    if victim is not None:
        with suppress(ProcessLookupError):
            os.kill(victim.pid, number)


def _kill(victim: _Process) -> None:
    _send(victim, signal.SIGKILL)


def _freeze(victim: _Process) -> None:
    _send(victim, signal.SIGSTOP)
    time.sleep(FROZEN)
    _send(victim, signal.SIGCONT)
