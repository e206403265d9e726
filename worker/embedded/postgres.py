"""PostgreSQL 18 from a wheel, as a child of claimd."""

import json
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import psutil
import psycopg

from worker.embedded.account import server_account
from worker.embedded.binaries import postgres_bin_dir
from worker.embedded.cluster import ROLE, Cluster, new_password
from worker.embedded.ending import StopSteps, end_leftovers, servers_in
from worker.embedded.files import read_json, write_private
from worker.embedded.ports import LOOPBACK, prefer
from worker.embedded.process import spawn
from worker.embedded.service import Service

_SETTINGS = {
    "cluster_name": "claimd",
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # their paths end at 107 characters
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_buffers": "64MB",  # 10 % on bulk claims, measured
    "max_wal_size": "2GB",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",  # details hold the rows' contents
}


class EmbeddedPostgres(Service):
    """A PostgreSQL server whose cluster lies in `<data_dir>/postgres`.

    Its URL stays the same when it is restarted, also after kill -9, and where possible from run to run. Whoever
    is connected learns the data folder by `current_setting('claimd.data_dir', true)`.
    """

    stop_steps: StopSteps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
    start_timeout = 120.0  # recovery after a crash takes as long as there is WAL

    def __init__(
        self, data_dir: Path, bin_dir: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`bin_dir` has other programs than the wheel's, `settings` go before ours: both for tests."""
        super().__init__("postgres", data_dir.absolute() / "logs" / "postgres.log")
        self.data_dir = data_dir.absolute()
        self.folder = self.data_dir / "postgres"
        self._bin_dir = bin_dir
        self._settings = _SETTINGS | dict(settings)
        self._access = self.data_dir / "postgres.json"
        self._port = 0
        self._password = ""

    @property
    def url(self) -> str:
        """How to connect, from any program on this machine; known once the server was started."""
        return f"postgresql://{ROLE}:{self._password}@{LOOPBACK}:{self._port}/{ROLE}"

    def launch(self) -> subprocess.Popen[bytes]:
        """Makes the cluster if there is none, ends what a killed claimd left, and starts the server."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        account = server_account(self.folder)
        cluster = Cluster(self.folder, self._bin_dir or postgres_bin_dir(account), account)
        end_leftovers(self._leftovers, self.stop_steps)
        # With no server on this cluster it is stale, and its pid may belong to someone else by now.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        self._prepare(cluster)
        ours = {"port": str(self._port), "claimd.data_dir": str(self.data_dir)}
        settings = [f"-c{name}={value}" for name, value in (self._settings | ours).items()]
        with cluster.command("postgres", "-D", "{folder}", *settings) as command:
            return spawn(replace(command, death_signal=signal.SIGINT), self.log)

    def is_ready(self) -> bool:
        """Whether the role `claimd` can connect."""
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False

    def clean_up(self) -> None:
        """Waits for sessions that outlive a killed server: each is a process group of its own."""
        end_leftovers(self._leftovers, ((signal.SIGQUIT, 5.0),))

    def _leftovers(self) -> list[psutil.Process]:
        return servers_in(self.folder.resolve(), "postgres")

    def _prepare(self, cluster: Cluster) -> None:
        """Sees to cluster, password and port; the first two as they were, the port too if it is free."""
        if self._password:
            return
        access = read_json(self._access)
        self._password = access.get("password") or new_password()
        if not cluster.exists():
            cluster.create(self._password)
        elif "password" not in access:
            cluster.set_password(self._password)
        self._port = prefer(access.get("port", 0))
        write_private(self._access, json.dumps({"port": self._port, "password": self._password}))
