"""One run of the benchmark, from an empty data folder to figures."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.activation import measure_activation
from benchmarks.agreement import check_agreement
from benchmarks.client import Client
from benchmarks.database import start_level
from benchmarks.deliveries import measure_deliveries
from benchmarks.fairness import measure_fairness
from benchmarks.figures import Activation, Deliveries, Fairness, Figures, Pair, Size, Small
from benchmarks.installation import Installation, running_claimd
from benchmarks.memory import forget_peaks, peak_of_api, peak_of_workers
from benchmarks.noop import Work, measure_noop
from benchmarks.orm import run_by_row
from benchmarks.product import run_product
from benchmarks.reference import run_reference
from benchmarks.small import measure_rate, measure_times
from benchmarks.targets import judge
from benchmarks.world import World, fill_inventory, make_world, write_claims


@dataclass(frozen=True)
class Plan:
    """How much is measured. `pairs` says for each size how often."""

    pairs: dict[int, int]
    devices: int = 2_000_000
    workers: int = 2
    rows_by_orm: int = 10_000
    noops: int = 3_000
    kits: int = 2_000
    trips: int = 200
    deliveries: int = 10_000
    webhook_trips: int = 50
    subscriptions: int = 1_000_000
    rows_beside: int = 100_000
    activations: int = 3
    batches_beside: int = 1_000
    fairness_runs: int = 3


FULL = Plan({10_000: 5, 100_000: 3, 1_000_000: 3})
QUICK = Plan(
    {10_000: 3},
    rows_by_orm=2_000,
    noops=1_000,
    kits=600,
    trips=100,
    deliveries=2_000,
    subscriptions=100_000,
    rows_beside=10_000,
    batches_beside=300,
)


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Figures:
    """Measure everything, on servers in `folder`; `say` is told what is being done."""
    say(f"making an inventory of {plan.devices:,} devices …")
    world = make_world(plan.devices, plan.kits + plan.trips)
    with running_claimd(folder / "data", plan.workers) as installation:
        with installation.runtime() as runtime:
            fill_inventory(runtime, world)
        return _Bench(plan, folder, say, world, installation).figures()


@dataclass(frozen=True)
class _Bench:
    plan: Plan
    folder: Path
    say: Callable[[str], None]
    world: World
    installation: Installation

    def figures(self) -> Figures:
        self._warm_up()
        sizes = [self._size(rows, pairs) for rows, pairs in sorted(self.plan.pairs.items())]
        found = Figures(
            devices=self.plan.devices,
            workers=self.plan.workers,
            machine=_machine(),
            sizes=sizes,
            rows_by_orm=self.plan.rows_by_orm,
            seconds_by_orm=self._by_orm(),
            small=self._small(),
            deliveries=self._deliveries(),
            activation=self._activation(),
            fairness=self._fairness(),
        )
        return replace(found, targets=judge(found))

    def _warm_up(self) -> None:
        """What a program loads when it first does something is no part of any measurement."""
        self.say("warming up …")
        for _ in range(self.plan.workers + 1):
            self._pair(min(self.plan.pairs))

    def _size(self, rows: int, pairs: int) -> Size:
        forget_peaks(self.installation)
        found = [self._pair(rows) for _ in range(pairs)]
        return Size(rows, found, peak_of_api(self.installation), peak_of_workers(self.installation))

    def _pair(self, rows: int) -> Pair:
        claims, theirs, ours = (self.folder / name for name in (f"{rows}.csv", "reference.csv", "product.csv"))
        if not claims.exists():
            write_claims(self.world, rows, claims)
        self._start_level()
        reference = run_reference(self.installation, claims, theirs)
        self._start_level()
        with Client(self.installation.up) as client:
            taken = run_product(client, claims, ours)
        check_agreement(theirs, ours)
        pair = Pair(reference, taken.total, taken.parts)
        self.say(f"{rows:>9,} rows: psql {reference:.2f} s, claimd {taken.total:.2f} s, ratio {pair.ratio:.2f}")
        return pair

    def _by_orm(self) -> float:
        self.say(f"{self.plan.rows_by_orm:,} rows by the ORM …")
        self._start_level()
        with self.installation.runtime() as runtime:
            return run_by_row(runtime.engine, self.folder / f"{min(self.plan.pairs)}.csv", self.plan.rows_by_orm)

    def _small(self) -> Small:
        plan, kits = self.plan, self.world.kits
        self.say("tasks that do nothing …")
        settings, work = self.installation.settings, Work(plan.noops, plan.trips, plan.workers)
        noop = measure_noop(settings, self.folder, work, watched=False)
        watched = measure_noop(settings, self.folder, work, watched=True)
        self.say("small batches …")
        self._start_level()
        rate = measure_rate(self.installation, kits[: plan.kits])
        with Client(self.installation.up) as client:
            times = measure_times(client, kits[plan.kits :])
        return Small(noop.rate, noop.round_trip, watched.rate, rate, times)

    def _deliveries(self) -> Deliveries:
        self.say(f"{self.plan.deliveries:,} webhooks …")
        return measure_deliveries(self.installation, self.plan.deliveries, self.plan.webhook_trips)

    def _activation(self) -> Activation:
        plan = self.plan
        self.say(f"{plan.subscriptions:,} subscriptions …")
        self._start_level()
        return measure_activation(
            self.installation, self.folder, plan.subscriptions, plan.rows_beside, plan.activations
        )

    def _fairness(self) -> Fairness:
        self.say("small batches beside another organization's …")
        claims, plan = self.folder / f"{max(self.plan.pairs)}.csv", self.plan
        kits = self.world.kits[: plan.batches_beside + plan.trips]
        return measure_fairness(self.installation, claims, kits, plan.batches_beside, plan.fairness_runs)

    def _start_level(self) -> None:
        start_level(self.installation.up["database_url"])


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
