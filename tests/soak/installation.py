"""All programs of claimd and its servers, supervised as `claimd up` does it, with two programs that work."""

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

from tests.conftest import SECRET_KEY
from worker.embedded.broker import EmbeddedBroker
from worker.embedded.ports import free_port
from worker.embedded.postgres import EmbeddedPostgres
from worker.embedded.programs import Program, Surroundings
from worker.embedded.service import Service
from worker.embedded.supervisor import Supervisor
from worker.runtime import build_runtime
from worker.schema import migrate
from worker.settings import Settings
from worker.tasks.environment import environment_of

CHUNK = 2_000


class ForgetfulBroker(EmbeddedBroker):
    """It can be told to have lost everything when it is started the next time."""

    loses_all = False

    def launch(self) -> subprocess.Popen[bytes]:
        if self.loses_all:
            rmtree(self.folder / "appendonlydir", ignore_errors=True)
            self.loses_all = False
        return super().launch()


class Installation:
    """What is there to be broken; everything that dies is started again."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.postgres = EmbeddedPostgres(folder)
        self.broker = ForgetfulBroker(folder)
        self.supervisor = Supervisor(say)
        self._folder = folder
        self.programs: dict[str, Service] = {}

    def start(self) -> None:
        """In the main thread, inside of `supervisor`."""
        self.supervisor.start(self.postgres, self.broker)
        self.settings = self._settings()
        runtime = build_runtime(self.settings)
        migrate(runtime.engine)
        runtime.close()
        self.programs = {each.name: each for each in self._programs()}
        self.supervisor.start(*self.programs.values())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api_port}"

    @property
    def workers(self) -> list[Service]:
        return [each for name, each in self.programs.items() if name.startswith("worker")]

    def _settings(self) -> Settings:
        return Settings.model_validate(
            {
                "database_url": self.postgres.url,
                "broker_url": self.broker.url,
                "secret_key": SECRET_KEY,
                "data_dir": self._folder,
                "api_port": free_port(),
                "chunk_size": CHUNK,
                "hold_window": timedelta(minutes=90),
                "upload_lease": timedelta(seconds=10),  # for so long the key of a request belongs to an API that died
                "webhook_allow_private": True,
                "log_level": "warning",  # half an hour of all that is said would be much
            }
        )

    def _programs(self) -> list[Program]:
        around = Surroundings(self._folder, environment_of(self.settings))
        return [
            Program("api", ["api"], around, f"127.0.0.1:{self.settings.api_port}/healthz"),
            Program("worker-1", ["worker", "--concurrency", "2"], around),
            Program("worker-2", ["worker", "--concurrency", "2"], around),
            Program("beat", ["beat"], around),
        ]
