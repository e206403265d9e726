"""Waiting for a batch: what is shown meanwhile, and what it survives."""

import json
import os
import pty
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli, Up
from tests.embedded.waiting import wait_until

ROWS = 200_000


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes some seconds."""
    path = tmp_path / "large.csv"
    path.write_text("device_id\n" + "".join(f"unknown{number}\n" for number in range(ROWS)), encoding="utf-8")
    return path


def test_a_restart_of_the_api_is_waited_for(beside: Cli, up: Up, large: Path) -> None:
    before = len(beside("batch", "list", "--limit", "1000", "--json").json["items"])
    with subprocess.Popen(
        [*PROGRAM, "claim", large, "--project", up.project, "--watch", "--json", "--data-dir", str(up.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: len(beside("batch", "list", "--limit", "1000", "--json").json["items"]) > before)
        addresses = json.loads((up.folder / "up.json").read_text(encoding="utf-8"))
        os.kill(addresses["pids"]["api"], signal.SIGKILL)
        out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert json.loads(out)["totals"] == {"not_found": ROWS}
    wait_until(lambda: beside("batch", "list").code == 0)


def test_a_terminal_shows_a_progress_bar(up: Up, large: Path) -> None:
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "claim", large, "--project", up.project, "--watch", "--data-dir", str(up.folder)],
        stdout=subprocess.PIPE,
        stderr=end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(end)
        seen = _read_all(terminal)
        process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert "━" in seen
    assert "resolving" in seen or "received" in seen


def _read_all(terminal: int) -> str:
    """All that was written, until the other end is closed."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that it is
            part = b""
        if not part:
            return b"".join(parts).decode("utf-8", "replace")
        parts.append(part)


@pytest.mark.parametrize("answer", [b"[]", b"<html>", b""])
def test_another_server_is_not_taken_for_claimd(cli: Cli, answer: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = cli("batch", "list", "--api-url", f"http://127.0.0.1:{server.server_port}", "--token", "x")
        thread.join()
    assert found.code == 2
    assert "something else than claimd" in found.err
