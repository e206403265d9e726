"""Every command of the compose file, run together on the test servers until its health check is content."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis

from tests.compose import claimd_services, environment
from tests.conftest import SECRET_KEY
from tests.embedded.waiting import wait_until
from tests.jobs.programs import PROGRAM, kill_tree
from tests.servers import drop_database, fresh_database
from worker.embedded.ports import free_port
from worker.settings import Settings
from worker.states import Queue
from worker.tasks.app import build_app

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what containers listen on
CHOSEN = {
    "POSTGRES_PASSWORD": "unused",
    "REDIS_PASSWORD": "unused",
    "CLAIMD_SECRET_KEY": SECRET_KEY,
    "CLAIMD_FLOWER_PASSWORD": "flower",
}


def test_all_services_become_healthy_and_stop_in_good_order(postgres_url: str, broker_url: str, tmp_path: Path) -> None:
    ports = {"8000": str(free_port()), "5555": str(free_port())}
    with redis.Redis.from_url(broker_url) as client:
        client.flushdb()
    with _empty_database(postgres_url) as database_url:
        here = {"CLAIMD_DATABASE_URL": database_url, "CLAIMD_BROKER_URL": broker_url}
        services = {name: _on_this_machine(each, here, ports) for name, each in claimd_services().items()}
        migrate = services.pop("migrate")
        assert subprocess.run(_argv(migrate["command"]), env=migrate["environment"], check=False).returncode == 0
        with ExitStack() as stack:
            processes = [stack.enter_context(_running(each, tmp_path)) for each in services.values()]
            for each in services.values():
                wait_until(partial(_is_healthy, each), 60)
            wait_until(lambda: _consumed(broker_url) == {queue.value for queue in Queue}, 30)
            for process in processes:
                process.terminate()
            assert [process.wait(30) for process in processes] == [0] * len(processes)


@contextmanager
def _empty_database(postgres_url: str) -> Iterator[str]:
    url = fresh_database(postgres_url)
    yield url
    drop_database(url)


def _on_this_machine(service: Mapping[str, Any], here: Mapping[str, str], ports: Mapping[str, str]) -> dict[str, Any]:
    given = {**environment(service, CHOSEN), **here}
    local = {name: ports.get(value, value).replace(EVERYWHERE, "127.0.0.1") for name, value in given.items()}
    check = service["healthcheck"].get("test", ["CMD"])[1:]
    for inside, outside in ports.items():
        check = [word.replace(f":{inside}/", f":{outside}/") for word in check]
    return {"command": service["command"], "environment": local, "check": check}


def _argv(command: list[str]) -> list[str]:
    return [*PROGRAM, *command]


@contextmanager
def _running(service: Mapping[str, Any], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(_argv(service["command"]), env=service["environment"], cwd=folder)
    try:
        yield process
    finally:
        kill_tree(process)


def _is_healthy(service: Mapping[str, Any]) -> bool:
    program, *words = service["check"]
    argv = _argv(words) if program == "claimd" else [sys.executable, *words]
    done = subprocess.run(argv, env=service["environment"], capture_output=True, check=False)
    return done.returncode == 0


def _consumed(broker_url: str) -> set[str]:
    app = build_app(Settings.model_validate({"broker_url": broker_url}))
    found = app.control.inspect(timeout=2).active_queues() or {}
    return {queue["name"] for queues in found.values() for queue in queues}
