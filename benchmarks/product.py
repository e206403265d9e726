"""(b): claimd as its users have it, from the start of the upload to a report that is downloaded."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client import Client

_SECONDS = 900.0
_READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class Taken:
    """Seconds from the start of the upload: to its acceptance, to the batch's end, to the end of the report."""

    accepted: float
    completed: float
    total: float

    @property
    def parts(self) -> dict[str, float]:
        """The seconds of each part."""
        return {
            "upload": self.accepted,
            "work": self.completed - self.accepted,
            "download": self.total - self.completed,
        }


def run_product(client: Client, claims: Path, report: Path) -> Taken:
    """Claim everything in the file and download the report.

    Raises:
        RuntimeError: the batch did not come to its good end.
    """
    started = time.perf_counter()
    with claims.open("rb") as body:
        batch = client.submit(body, "text/csv", claims.stat().st_size)
    accepted = time.perf_counter() - started
    batch = wait_for_end(client, batch, started)
    completed = time.perf_counter() - started
    with client.stream(batch["links"]["results.csv"]) as answer, report.open("wb") as file:
        shutil.copyfileobj(answer, file, _READ_BYTES)
    return Taken(accepted, completed, time.perf_counter() - started)


def wait_for_end(client: Client, batch: dict[str, Any], started: float) -> dict[str, Any]:
    """Ask again and again, without taking much of the machine by asking: 2 % late at most.

    Raises:
        RuntimeError: the batch did not come to its good end.
    """
    while batch["finished_at"] is None:
        elapsed = time.perf_counter() - started
        if elapsed > _SECONDS:
            raise RuntimeError(f"batch {batch['id']} takes too long: {batch['state']}")
        time.sleep(min(0.25, max(0.003, elapsed / 50)))
        batch = client.get(batch["links"]["self"])
    if batch["state"] != "completed":
        raise RuntimeError(f"batch {batch['id']} is {batch['state']}: {batch['problem']}")
    return batch
