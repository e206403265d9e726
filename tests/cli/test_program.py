"""`claimd` as a program: how it ends, and what it says then."""

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from typer.main import get_command

from tests.cli.conftest import PROGRAM, Cli, Up
from tests.embedded.waiting import wait_until
from worker.cli.main import app


def _commands(command: Any, path: str = "claimd") -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def test_every_command_takes_json_and_a_data_folder() -> None:
    for path, command in _commands(get_command(app)):
        options = {option for parameter in command.params for option in parameter.opts}
        # These use none that anyone has.
        wanted = {"--json"} if path in {"claimd bench", "claimd report verify"} else {"--json", "--data-dir"}
        assert wanted <= options, path


def test_every_command_and_option_says_what_it_does() -> None:
    for path, command in _commands(get_command(app)):
        assert command.help, path
        for parameter in command.params:
            assert parameter.help, f"{path} {parameter.opts}"


def test_the_version_is_shown() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "claimd 0.1.0\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["claim"], ["claim", "a.csv"], ["worker", "--queue", "x"], ["batch", "list", "--limit", "0"]],
)
def test_bad_usage_ends_with_2_and_one_sentence(cli: Cli, arguments: list[str]) -> None:
    answer = cli(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["api"],
        ["worker"],
        ["beat"],
        ["flower"],
        ["migrate"],
        ["status"],
        ["verify"],
        ["inventory", "import", __file__],
        ["org", "list"],
        ["batch", "list"],
        ["claim", __file__, "--project", "prj_x"],
    ],
)
def test_without_any_claimd_a_command_says_what_is_missing(cli: Cli, arguments: list[str]) -> None:
    answer = cli(*arguments)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "claimd up" in answer.err or "CLAIMD_" in answer.err


def test_errors_are_problem_documents_where_json_is_asked_for(cli: Cli) -> None:
    assert cli("org", "list", "--json").problem["type"] == "environment"
    assert cli("nonsense", "--json").problem["type"] == "usage"


def test_a_setting_that_cannot_be_used_is_named(cli: Cli) -> None:
    cli.environment.setenv("CLAIMD_API_PORT", "many")
    answer = cli("org", "list")
    assert answer.code == 2
    assert "CLAIMD_API_PORT" in answer.err


def test_a_database_that_does_not_answer_is_named_without_its_password(cli: Cli) -> None:
    cli.environment.setenv("CLAIMD_DATABASE_URL", "postgresql://me:hidden@127.0.0.1:1/claimd")
    cli.environment.setenv("CLAIMD_SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    answer = cli("org", "list")
    assert answer.code == 2
    assert "127.0.0.1:1" in answer.err
    assert "hidden" not in answer.err


def test_ctrl_c_ends_it_quietly(up: Up) -> None:
    with subprocess.Popen(
        [*PROGRAM, "inventory", "import", "-", "--data-dir", str(up.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: psutil.Process(process.pid).net_connections(), 20)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == (b"", b"")


def test_a_reader_that_goes_away_ends_it_quietly(up: Up) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, "org", "list", "--data-dir", str(up.folder)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 130
    assert done.stderr == b""
