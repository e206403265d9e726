"""`claimd up` with an inventory, and the command line beside it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.waiting import wait_until
from worker.cli.main import run

PROGRAM = [sys.executable, "-P", "-m", "worker.cli.main"]
INVENTORY = (
    "device_id,device_type,product_number,kit_id,kit_name,serial_number,claim_code,prepaid_months\n"
    + "".join(f"emu{number},temperature,1,kit{number // 10},Kit,sn{number},code{number},12\n" for number in range(200))
    + "bare1,temperature,1,,,,,0\n"
)


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output."""
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """The document on standard error."""
        return json.loads(self.err)


@dataclass(frozen=True)
class Up:
    """A running `claimd up`, as its `up.json` has it."""

    folder: Path
    addresses: dict[str, Any]

    @property
    def project(self) -> str:
        return str(self.addresses["project_id"])


class Cli:
    """Runs commands in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd = capfd
        self.environment = monkeypatch

    def __call__(self, *arguments: str) -> Answer:
        self._capfd.readouterr()
        code = run(arguments)
        out, err = self._capfd.readouterr()
        return Answer(code, out, err)


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    """Everything on this machine, started once for all tests of the command line."""
    with tempfile.TemporaryDirectory(prefix="claimd-cli-") as name:
        folder = Path(name)
        process = subprocess.Popen(
            [*PROGRAM, "up", "--data-dir", name, "--workers", "1"],
            env={**os.environ, "CLAIMD_DATA_DIR": name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: (folder / "up.json").exists() or process.poll() is not None, 60)
        (folder / "inventory.csv").write_text(INVENTORY, encoding="utf-8")
        subprocess.run([*PROGRAM, "inventory", "import", folder / "inventory.csv", "--data-dir", name], check=True)
        yield Up(folder, json.loads((folder / "up.json").read_text(encoding="utf-8")))
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line on a machine where nothing runs."""
    monkeypatch.setenv("CLAIMD_DATA_DIR", str(tmp_path / "nothing"))
    return Cli(capfd, monkeypatch)


@pytest.fixture
def beside(cli: Cli, up: Up) -> Cli:
    """The command line beside the running `claimd up`."""
    cli.environment.setenv("CLAIMD_DATA_DIR", str(up.folder))
    return cli
