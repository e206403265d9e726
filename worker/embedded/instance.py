"""What `claimd up` runs: servers, schema, accounts and programs on one data folder."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import SecretStr

from worker.accounts.bootstrap import Bootstrap, bootstrap_demo
from worker.embedded.broker import EmbeddedBroker
from worker.embedded.ending import end_leftovers, marked
from worker.embedded.files import data_dir_lock, write_private
from worker.embedded.last_will import removed_at_the_end
from worker.embedded.ports import HeldPort, hold
from worker.embedded.postgres import EmbeddedPostgres
from worker.embedded.programs import Errand, Program, Surroundings
from worker.embedded.secret_files import flower_password, prepare_data_dir, secret_key
from worker.embedded.service import Service
from worker.embedded.supervisor import Supervisor
from worker.errors import EnvironmentProblem
from worker.runtime import build_runtime
from worker.settings import Settings
from worker.states import Queue
from worker.tasks.environment import environment_of

MARK = "CLAIMD_UP"
"""The environment variable by which the programs of a data folder are known, and all that they start."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # compared, not bound to
_WORKERS = (Queue.INTERACTIVE, Queue.BULK)
_DEFAULT_WORKERS = 2
# However few processes work on batches: activating and delivering may each keep one busy until the next tick.
_PERIODIC_PROCESSES = 3
_AFTER_GRACE = 10.0  # for handing back what was not finished


@dataclass(frozen=True)
class Addresses:
    """How to reach a running claimd; all of `up.json` but the pids."""

    api_url: str
    flower_url: str
    flower_user: str
    flower_password: str = field(repr=False)
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    organization_id: str
    project_id: str
    token: str = field(repr=False)


class Instance:
    """Everything on this machine, on one data folder."""

    def __init__(self, settings: Settings, workers: int | None, say: Callable[[str], None]) -> None:
        """`workers` processes for each queue of batches; `say` is told in one line what happens to the children."""
        self.data_dir = prepare_data_dir(settings.data_dir)
        self._settings = settings
        self._workers = workers or _DEFAULT_WORKERS
        self._addresses: Addresses | None = None
        self._supervisor = Supervisor(say, on_restart=self._write_up)

    def run(self, on_ready: Callable[[Addresses], None], until: Callable[[], bool] = lambda: False) -> None:
        """Starts everything, calls `on_ready`, and stops everything on a signal or when `until` is true.

        Raises:
            EnvironmentProblem: something that is needed is missing; nothing is left running.
        """
        with (
            data_dir_lock(self.data_dir),
            self._ports() as ports,
            self._supervisor,
            removed_at_the_end(self._up_file),
        ):
            end_leftovers(lambda: marked(MARK, str(self.data_dir)), Program.stop_steps)
            self._addresses = self._start(*ports)
            self._write_up()
            on_ready(self._addresses)
            self._supervisor.run(until)

    @property
    def _up_file(self) -> Path:
        return self.data_dir / "up.json"

    def _write_up(self) -> None:
        if self._addresses is not None:
            content = {**asdict(self._addresses), "pids": self._supervisor.pids()}
            write_private(self._up_file, json.dumps(content, indent=2) + "\n")

    def _start(self, api_port: int, flower_port: int) -> Addresses:
        settings = self._with_servers(api_port, flower_port)
        environment = {**environment_of(settings), MARK: str(self.data_dir)}
        grace = settings.shutdown_grace.total_seconds() + _AFTER_GRACE
        around = Surroundings(self.data_dir, environment, grace)
        self._supervisor.run_errand(Errand("migrate", ["migrate"], around))
        account = _bootstrap(settings)
        self._supervisor.start(*self._programs(settings, around))
        return _addresses(settings, account)

    def _with_servers(self, api_port: int, flower_port: int) -> Settings:
        """The settings of all programs, with the servers started that were not given."""
        found = {
            "data_dir": self.data_dir,
            "secret_key": SecretStr(secret_key(self._settings, self.data_dir)),
            "flower_password": SecretStr(flower_password(self._settings, self.data_dir)),
            "api_port": api_port,
            "flower_port": flower_port,
        }
        if self._settings.database_url is None:
            postgres = EmbeddedPostgres(self.data_dir)
            self._supervisor.start(postgres)
            found["database_url"] = SecretStr(postgres.url)
        if self._settings.broker_url is None:
            broker = EmbeddedBroker(self.data_dir)
            self._supervisor.start(broker)
            found["broker_url"] = SecretStr(broker.url)
        return self._settings.model_copy(update=found)

    def _programs(self, settings: Settings, around: Surroundings) -> list[Service]:
        api = f"{_reached(settings.api_host)}:{settings.api_port}/healthz"
        flower = f"{_reached(settings.flower_host)}:{settings.flower_port}/healthcheck"
        return [
            Program("api", ["api"], around, api),
            *(_worker(queue, self._workers, around) for queue in _WORKERS),
            _worker(Queue.PERIODIC, _PERIODIC_PROCESSES, around),
            Program("beat", ["beat"], around),
            Program("flower", ["flower"], around, flower),
        ]

    @contextmanager
    def _ports(self) -> Iterator[tuple[int, int]]:
        with ExitStack() as stack:
            ports = (self._port("api", "--port"), self._port("flower", "CLAIMD_FLOWER_PORT"))
            for port in ports:
                stack.callback(port.release)
            yield ports[0].number, ports[1].number

    def _port(self, program: str, option: str) -> HeldPort:
        """The port that was asked for, or the default one, or any if nobody asked for that one."""
        name, host = f"{program}_port", getattr(self._settings, f"{program}_host")
        wanted = getattr(self._settings, name)
        held = hold(wanted, host)
        if held is None and name in self._settings.model_fields_set:
            raise EnvironmentProblem(f"Port {wanted} is taken: choose another with {option}.")
        held = held or hold(0, host)
        if held is None:
            raise EnvironmentProblem(f"No port is free on {host}.")
        return held


def _worker(queue: Queue, processes: int, around: Surroundings) -> Program:
    return Program(f"worker-{queue}", ["worker", "--queue", queue.value, "--concurrency", str(processes)], around)


def _bootstrap(settings: Settings) -> Bootstrap:
    runtime = build_runtime(settings, pool_size=1)
    try:
        return bootstrap_demo(runtime)
    finally:
        runtime.close()


def _addresses(settings: Settings, account: Bootstrap) -> Addresses:
    return Addresses(
        api_url=f"http://{_reached(settings.api_host)}:{settings.api_port}",
        flower_url=f"http://{_reached(settings.flower_host)}:{settings.flower_port}",
        flower_user=settings.flower_user,
        flower_password=_plain(settings.flower_password),
        database_url=_plain(settings.database_url),
        broker_url=_plain(settings.broker_url),
        organization_id=account.organization_id,
        project_id=account.project_id,
        token=account.token,
    )


def _plain(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _reached(host: str) -> str:
    """Where to reach a server that listens on `host`, as it stands in a URL."""
    host = _EVERYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host
