"""(g) Fairness: batches of one kit beside another organization's large batch, or beside a thousand small ones."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from benchmarks.client import Client
from benchmarks.database import count_open, start_level
from benchmarks.figures import Fairness, spread
from benchmarks.installation import Installation
from benchmarks.product import wait_for_end
from benchmarks.small import seconds_of, send_all
from worker import accounts
from worker.operations.halts import halt, lift
from worker.runtime import Runtime
from worker.states import Halt, Role


def measure_fairness(
    installation: Installation, claims: Path, kits: Sequence[str], batches: int, runs: int
) -> Fairness:
    """Small batches alone, beside the file `claims`, and beside so many others, `runs` times each.

    Those others take the first kits, and the one that is measured takes the rest, one at a time.
    """
    others, ours = kits[:batches], kits[batches:]
    idle, beside_rows, beside_batches = [], [], []
    up, url = installation.up, installation.up["database_url"]
    with installation.runtime() as runtime:
        other = _other_tenant(runtime, up)
        for _ in range(runs):
            start_level(url)
            idle += _while(lambda: True, up, ours)
            start_level(url)
            with _large(other, claims) as is_busy:
                beside_rows += _while(is_busy, up, ours)
            start_level(url)
            with _many(runtime, other, others) as is_busy:
                beside_batches += _while(is_busy, up, ours)
    return Fairness(batches, spread(idle), spread(beside_rows), spread(beside_batches))


def _other_tenant(runtime: Runtime, up: dict[str, Any]) -> dict[str, Any]:
    """Addresses as `up.json` has them, for an organization of its own."""
    organization = accounts.create_organization(runtime, "Another")["id"]
    project = accounts.create_project(runtime, organization, "Another")["id"]
    token = accounts.create_token(runtime, organization, "benchmark", [Role.ORGANIZATION_ADMIN]).secret
    return {**up, "organization_id": organization, "project_id": project, "token": token}


def _while(is_busy: Callable[[], bool], up: dict[str, Any], kits: Sequence[str]) -> list[float]:
    """The seconds of each small batch that began while the others were at it."""
    with Client(up) as client:
        return [seconds_of(client, kit) for kit in takewhile(lambda _: is_busy(), kits)]


@contextmanager
def _large(other: dict[str, Any], claims: Path) -> Iterator[Callable[[], bool]]:
    """One batch with all rows of the file, from its acceptance on."""
    with Client(other) as client:
        with claims.open("rb") as body:
            batch = client.submit(body, "text/csv", claims.stat().st_size)
        waiting = threading.Thread(target=wait_for_end, args=(client, batch, time.perf_counter()))
        waiting.start()
        yield waiting.is_alive
        waiting.join()


@contextmanager
def _many(runtime: Runtime, other: dict[str, Any], kits: Sequence[str]) -> Iterator[Callable[[], bool]]:
    """A batch for each kit, all of them waiting when the block begins."""
    halt(runtime, Halt.PAUSE, None, other["organization_id"], "the benchmark")
    try:
        send_all(other, kits)
    finally:
        lift(runtime, None, other["organization_id"])

    def is_busy() -> bool:
        return count_open(runtime.settings.require_database_url(), other["project_id"]) > 0

    yield is_busy
    while is_busy():
        time.sleep(0.1)
