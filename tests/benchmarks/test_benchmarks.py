"""The benchmark measures what it says: both ways do the same work, and every part of it runs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.activation import measure_activation
from benchmarks.agreement import check_agreement
from benchmarks.client import Client
from benchmarks.database import start_level
from benchmarks.deliveries import measure_deliveries
from benchmarks.fairness import measure_fairness
from benchmarks.figures import Activation, Deliveries, Fairness, Figures, Pair, Size, Small, Spread
from benchmarks.installation import Installation, running_claimd
from benchmarks.memory import forget_peaks, peak_of_api, peak_of_workers
from benchmarks.noop import Work, measure_noop
from benchmarks.orm import run_by_row
from benchmarks.product import run_product
from benchmarks.reference import run_reference
from benchmarks.small import measure_rate, measure_times
from benchmarks.table import show
from benchmarks.targets import judge
from benchmarks.world import World, fill_inventory, make_world, write_claims
from worker.cli.bench import CHECKOUT, require_benchmarks
from worker.cli.main import run
from worker.errors import EnvironmentProblem

ROWS = 2_000


@pytest.fixture(scope="module")
def world() -> World:
    """A small one."""
    return make_world(devices=4_000, kits=12)


@pytest.fixture(scope="module")
def installation(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A claimd with that inventory."""
    with running_claimd(tmp_path_factory.mktemp("bench") / "data", workers=2) as started:
        with started.runtime() as runtime:
            fill_inventory(runtime, world)
        yield started


@pytest.fixture
def claims(world: World, tmp_path: Path) -> Path:
    """A file that claims from it."""
    path = tmp_path / "claims.csv"
    write_claims(world, ROWS, path)
    return path


def test_both_ways_come_to_the_same_outcomes(installation: Installation, claims: Path, tmp_path: Path) -> None:
    start_level(installation.up["database_url"])
    assert run_reference(installation, claims, tmp_path / "reference.csv") > 0
    start_level(installation.up["database_url"])
    with Client(installation.up) as client:
        taken = run_product(client, claims, tmp_path / "product.csv")
    assert 0 < taken.accepted <= taken.completed < taken.total
    assert check_agreement(tmp_path / "reference.csv", tmp_path / "product.csv") == {"claimed": 1_920, "not_found": 80}


def test_the_reference_knows_every_outcome_that_claimd_knows(
    installation: Installation, claims: Path, tmp_path: Path
) -> None:
    start_level(installation.up["database_url"])
    lines = claims.read_bytes().splitlines(keepends=True)
    again = tmp_path / "again.csv"
    again.write_bytes(b"".join([*lines[:101], *lines[1:101]]))
    with Client(installation.up) as client:
        run_product(client, claims, tmp_path / "first.csv")
        run_product(client, again, tmp_path / "product.csv")
    run_reference(installation, again, tmp_path / "reference.csv")
    outcomes = check_agreement(tmp_path / "reference.csv", tmp_path / "product.csv")
    assert outcomes.keys() == {"already_yours", "not_found", "duplicate"}


def test_another_outcome_is_noticed(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("device_id,row,line,outcome,device_id\na,1,2,claimed,a\n")
    second.write_text("device_id,row,line,outcome,device_id\na,1,2,not_found,\n")
    with pytest.raises(RuntimeError, match="not_found"):
        check_agreement(first, second)


def test_the_orm_claims_row_by_row(installation: Installation, claims: Path) -> None:
    start_level(installation.up["database_url"])
    with installation.runtime() as runtime:
        assert run_by_row(runtime.engine, claims, rows=50) > 0


def test_small_batches_and_tasks_that_do_nothing_are_counted(
    installation: Installation, world: World, tmp_path: Path
) -> None:
    start_level(installation.up["database_url"])
    assert measure_rate(installation, world.kits[:8]) > 0
    with Client(installation.up) as client:
        assert measure_times(client, world.kits[8:]).p99 > 0
    for watched in (False, True):
        celery = measure_noop(installation.settings, tmp_path, Work(tasks=20, trips=5, workers=2), watched=watched)
        assert celery.rate > 0
        assert celery.round_trip.p50 <= celery.round_trip.p99


def test_webhooks_are_counted_and_accepted_once(installation: Installation) -> None:
    told = measure_deliveries(installation, deliveries=200, trips=3)
    assert 0 < told.times.p50 <= told.times.p99 <= told.seconds
    assert told.rate > 0
    assert told.trip.p50 > 0


def test_activation_is_measured_both_ways_and_beside_claims(installation: Installation, tmp_path: Path) -> None:
    start_level(installation.up["database_url"])
    found = measure_activation(installation, tmp_path, subscriptions=1_500, rows=100, pairs=1)
    assert found.ratio > 0
    assert found.slowdown > 0


def test_small_batches_are_measured_beside_anothers(installation: Installation, world: World, claims: Path) -> None:
    found = measure_fairness(installation, claims, world.kits, batches=6, runs=1)
    for times in (found.idle, found.beside_rows, found.beside_batches):
        assert 0 < times.p50 <= times.p99
    assert found.rows_slowdown > 0
    assert found.batches_slowdown > 0


def test_peaks_of_memory_are_those_since_they_were_forgotten(installation: Installation) -> None:
    forget_peaks(installation)
    assert 10e6 < peak_of_api(installation) < 1e9
    assert 10e6 < peak_of_workers(installation) < 1e9


def test_the_table_says_which_targets_were_missed() -> None:
    printed = StringIO()
    show(figures(product=2.0), Console(file=printed, width=120))
    text = printed.getvalue()
    assert "(b) ÷ (a) at 1,000,000 rows: at most 1.0" in text
    assert text.count("MISSED") == 1
    assert text.count("OK") == 8


def test_a_million_rows_have_a_target_of_their_own() -> None:
    assert [target.is_met for target in judge(figures(product=0.9))] == [True] * 9


def test_an_installed_package_says_what_the_benchmark_needs(tmp_path: Path) -> None:
    require_benchmarks(CHECKOUT)
    with pytest.raises(EnvironmentProblem, match="source checkout"):
        require_benchmarks(tmp_path)


def test_the_command_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("benchmarks.__main__.run", lambda *_: figures(product=0.5))
    assert run(["bench", "--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["devices"] == 2_000_000


def figures(product: float) -> Figures:
    """Figures of a run in which claimd took so many times as long as the reference."""
    sizes = [Size(rows, [Pair(10.0, 10.0 * product, PARTS)], 100_000_000, 200_000_000) for rows in (10_000, 1_000_000)]
    small = Small(400.0, Spread(0.01, 0.02), 300.0, 200.0, Spread(0.02, 0.03))
    told = Deliveries(10_000, 20.0, Spread(5.0, 10.0), Spread(0.02, 0.03))
    activated = Activation(1_000_000, 100_000, [Pair(4.0, 4.4, {})], [Pair(1.0, 1.2, {})])
    fair = Fairness(1_000, Spread(0.02, 0.03), Spread(0.04, 0.06), Spread(0.04, 0.08))
    found = Figures(2_000_000, 2, "a machine", sizes, 10_000, 30.0, small, told, activated, fair)
    return replace(found, targets=judge(found))


PARTS = {"upload": 1.0, "work": 2.0, "download": 3.0}
