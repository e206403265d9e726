"""A Redis that Sentinel watches, behind a TCP proxy that leads to its master: as docs/operations.md has it."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from tests.claims import Sender, send
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import CSV, ringing_runtime
from tests.jobs.programs import worker
from worker.batches import get_batch
from worker.embedded.binaries import valkey_server
from worker.embedded.ports import LOOPBACK, free_port
from worker.settings import Settings

SENTINEL = """\
sentinel monitor claimd {host} {master} 1
sentinel down-after-milliseconds claimd 500
sentinel failover-timeout claimd 2000
"""


class Site:
    """Two servers, the sentinel that chooses their master, and the proxy that leads to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first, self.second, self.sentinel = free_port(), free_port(), free_port()
        self._watch = redis.Redis(host=LOOPBACK, port=self.sentinel, decode_responses=True)
        self._stack = ExitStack()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.url = f"redis://{LOOPBACK}:{self._listener.getsockname()[1]}/0"

    def start(self) -> None:
        self.processes = {self.first: self._server(self.first, "")}
        self.processes[self.second] = self._server(self.second, f"replicaof {LOOPBACK} {self.first}\n")
        self._server(self.sentinel, SENTINEL.format(host=LOOPBACK, master=self.first), "--sentinel")
        wait_until(lambda: self._ask("replicas"))
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._stack.close()
        self._watch.close()

    def master(self) -> int:
        """The port of the master."""
        return int(self._ask("get-master-addr-by-name")[1])

    def _ask(self, question: str) -> Any:
        return self._watch.execute_command("sentinel", question, "claimd")  # type: ignore[no-untyped-call]  # redis-py

    def _server(self, port: int, config: str, *arguments: str) -> subprocess.Popen[bytes]:
        file = self.folder / f"{port}.conf"
        file.write_text(f"bind {LOOPBACK}\nport {port}\ndir {self.folder}\n{config}", encoding="ascii")
        with (self.folder / f"{port}.log").open("wb") as log:
            process = subprocess.Popen([valkey_server(), file, *arguments], stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        with redis.Redis(host=LOOPBACK, port=port) as client:
            wait_until(lambda: _answers(client))
        return process

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(here,), daemon=True).start()

    def _join(self, here: socket.socket) -> None:
        with here, contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.master())) as there:
            back = threading.Thread(target=_carry, args=(there, here), daemon=True)
            back.start()
            _carry(here, there)
            back.join()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    site = Site(folder)
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as started:
        yield started


def test_a_failover_of_the_broker_costs_no_batch(
    settings: Settings, sender: Sender, completes: Callable[[str], None], site: Site, tmp_path: Path
) -> None:
    there = settings.model_copy(update={"broker_url": SecretStr(site.url)})
    with worker(there, tmp_path / "worker.log"), ringing_runtime(there) as ringing:
        completes(send(ringing, sender, CSV))
        site.processes[site.first].kill()
        meanwhile = send(ringing, sender, b"device_id\ndevice-001\n")
        wait_until(lambda: site.master() == site.second)
        later = send(ringing, sender, b"device_id\ndevice-002\n")
        for batch_id in (meanwhile, later):
            wait_until(lambda: get_batch(ringing, sender.principal, batch_id)["state"] == "completed", 40)  # noqa: B023  # called at once
