"""(d), second half: batches of one kit, sent by several clients at once, then one at a time."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.client import Client
from benchmarks.database import count_claims, fetch_progress
from benchmarks.figures import Spread, spread
from benchmarks.installation import ROOT, Installation, clean_environment, wait_for
from benchmarks.product import wait_for_end
from benchmarks.world import DEVICES_PER_KIT

CLIENTS = 8
_SECONDS = 300.0


def measure_rate(installation: Installation, kits: Sequence[str]) -> float:
    """Batches a second, from the first upload to the end of the last batch; each claims one of the kits.

    Raises:
        RuntimeError: not all were claimed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.small", str(installation.folder / "up.json")],
        input=json.dumps(list(kits)),
        text=True,
        env=clean_environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    url = installation.up["database_url"]
    wait_for(lambda: fetch_progress(url).completed >= len(kits), _SECONDS, pause=0.2)
    if count_claims(url) != len(kits) * DEVICES_PER_KIT:
        raise RuntimeError("not every device of the kits was claimed")
    return len(kits) / (fetch_progress(url).last_end - float(done.stdout))


def measure_times(client: Client, kits: Sequence[str]) -> Spread:
    """Seconds from the start of an upload until its batch is seen to have ended, one at a time."""
    return spread([seconds_of(client, kit) for kit in kits])


def send_all(up: dict[str, Any], kits: Sequence[str]) -> float:
    """Send all from several connections at once; returns when that began, in seconds since 1970."""
    senders = [threading.Thread(target=_send, args=(up, kits[at::CLIENTS])) for at in range(CLIENTS)]
    started = time.time()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return started


def _send(up: dict[str, Any], kits: Sequence[str]) -> None:
    with Client(up) as client:
        for kit in kits:
            _submit(client, kit)


def seconds_of(client: Client, kit: str) -> float:
    """Seconds from the start of the upload of a batch for one kit until it is seen to have ended."""
    started = time.perf_counter()
    wait_for_end(client, _submit(client, kit), started)
    return time.perf_counter() - started


def _submit(client: Client, kit: str) -> dict[str, Any]:
    body = json.dumps({"kit_ids": [kit]}).encode()
    return client.submit(body, "application/json", len(body))


if __name__ == "__main__":
    print(send_all(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), json.load(sys.stdin)))
