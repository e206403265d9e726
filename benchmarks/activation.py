"""(f) Activation: subscriptions that are all due, beside bare SQL; and a batch of claims while that goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.client import Client
from benchmarks.database import checkpoint
from benchmarks.figures import Activation, Pair
from benchmarks.installation import Installation, wait_for
from benchmarks.product import run_product
from worker.states import PeriodicTask
from worker.tasks.doorbell import CeleryDoorbell

_SECONDS = 900.0
# Every other device is claimed by one batch, which has ended, and which nobody can revert any more.
_CLAIM = """
    with project as (select key, organization_key from project where public_id = %(project_id)s),
    upload as (insert into upload default values returning key),
    batch as (
        insert into batch (public_id, organization_key, project_key, mode, preview, source, upload_key, input_bytes,
            input_sha256, queue, state, rows_total, results_total, totals, created_by, finished_at, hold_until,
            activate_at)
        select 'bat_of_the_benchmark', p.organization_key, p.key, 'partial', false, 'csv', u.key, 0,
            decode(repeat('00', 32), 'hex'), 'bulk', 'completed', %(claims)s, %(claims)s,
            jsonb_build_object('claimed', %(claims)s::int), 'benchmark', now(), now(), now()
        from project p, upload u returning key, project_key
    )
    insert into claim (device_key, project_key, batch_key, claimed_at)
    select d.key, b.project_key, b.key, now()
    from batch b, (select key from device where key %% 2 = 0 order by key limit %(claims)s) d"""
# By hand, in one transaction; devices with a plan of their own have a row already.
_REFERENCE = """
    insert into subscription (device_key, state, activate_at, starts_at, ends_at)
    select c.device_key, 'active', b.hold_until, b.hold_until, period_end(b.hold_until, d.prepaid_months, o.time_zone)
    from claim c join device d on d.key = c.device_key join batch b on b.key = c.batch_key
    join organization o on o.key = b.organization_key
    where b.public_id = 'bat_of_the_benchmark'
    order by c.device_key on conflict do nothing"""
_START = """
    insert into activation (batch_key, activate_at)
    select key, activate_at from batch where public_id = 'bat_of_the_benchmark'"""
_STATE = "select next_device > 0, done_at is not null from activation order by batch_key limit 1"
_FORGET = "truncate subscription, activation"
_VACUUM = "vacuum (analyze) subscription, activation, claim"
_OTHERS = """
    copy (select device_id from device where key % 2 = 1 order by md5(key::text) offset {} limit {})
    to stdout with (format csv, header)"""


def measure_activation(
    installation: Installation, folder: Path, subscriptions: int, rows: int, pairs: int
) -> Activation:
    """Activate `subscriptions` both ways, and claim `rows` devices with and without that beside it, `pairs` times."""
    with psycopg.connect(installation.up["database_url"], autocommit=True) as connection, _bell(installation) as bell:
        connection.execute(_CLAIM, {"project_id": installation.up["project_id"], "claims": subscriptions})
        bench = _Bench(installation, connection, bell, folder, rows)
        found = [bench.pair() for _ in range(pairs)]
        beside = [bench.beside(number) for number in range(pairs)]
    return Activation(subscriptions, rows, found, beside)


class _Bench:
    def __init__(
        self, installation: Installation, connection: psycopg.Connection, bell: CeleryDoorbell, folder: Path, rows: int
    ) -> None:
        self._installation = installation
        self._connection = connection
        self._bell = bell
        self._folder = folder
        self._rows = rows

    def pair(self) -> Pair:
        """By hand, then by the worker, from the moment that it is asked for."""
        self._start_level()
        started = time.perf_counter()
        self._connection.execute(_REFERENCE)
        reference = time.perf_counter() - started
        self._start_level()
        started = time.perf_counter()
        self._begin()
        self._wait(1)
        return Pair(reference, time.perf_counter() - started, {})

    def beside(self, number: int) -> Pair:
        """A batch of claims alone, then one while the activation runs."""
        first, second = self._others(2 * number), self._others(2 * number + 1)
        self._start_level()
        alone = self._claim(first)
        self._start_level()
        self._begin()
        self._wait(0)
        beside = self._claim(second)
        self._wait(1)
        return Pair(alone, beside, {})

    def _others(self, number: int) -> Path:
        path = self._folder / f"others-{number}.csv"
        query = sql.SQL(_OTHERS).format(number * self._rows, self._rows)
        with path.open("wb") as file, self._connection.cursor().copy(query) as copy:
            file.writelines(copy)
        return path

    def _claim(self, path: Path) -> float:
        with Client(self._installation.up) as client:
            return run_product(client, path, self._folder / "others-report.csv").total

    def _start_level(self) -> None:
        self._connection.execute(_FORGET)
        self._connection.execute(_VACUUM)
        checkpoint(self._connection)

    def _begin(self) -> None:
        self._connection.execute(_START)
        self._bell.nudge(PeriodicTask.ACTIVATE)

    def _wait(self, column: int) -> None:
        """Until the activation has begun (0), or is done (1)."""
        wait_for(lambda: self._state()[column], _SECONDS)

    def _state(self) -> tuple[Any, ...]:
        return self._connection.execute(_STATE).fetchone() or (False, False)


@contextmanager
def _bell(installation: Installation) -> Iterator[CeleryDoorbell]:
    bell = CeleryDoorbell(installation.settings)
    try:
        yield bell
    finally:
        bell.close(timeout=5)
