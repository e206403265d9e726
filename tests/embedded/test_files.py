"""Private files, logs, the lock of a data folder, and ports."""

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.waiting import wait_until
from worker.embedded import files, ports
from worker.embedded.ending import end_leftovers, marked
from worker.errors import EnvironmentProblem


def test_a_private_file_is_replaced_whole_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    path.write_text("old")
    path.chmod(0o644)
    files.write_private(path, '{"a": 1}')
    assert files.read_json(path) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    assert files.read_json(tmp_path / "x.json") == files.read_json(tmp_path / "y.json") == {}


def test_a_long_log_is_put_aside_when_it_is_opened(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "api.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * 10_000_001)
    with files.closing(files.open_log(log)):
        assert log.stat().st_size == 0
        assert (tmp_path / "logs" / "api.log.1").stat().st_size == 10_000_001


def test_the_last_line_that_says_something_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("first\nlast\n\n  \n")
    assert files.last_line(tmp_path / "x.log") == "last"
    assert files.last_line(tmp_path / "absent.log") == ""


LOCKS = """
import sys
from pathlib import Path
from worker.embedded.files import data_dir_lock
with data_dir_lock(Path(sys.argv[1])):
    pass
"""


def test_a_second_claimd_on_the_same_data_folder_is_told_so(tmp_path: Path) -> None:
    with files.data_dir_lock(tmp_path):
        answer = subprocess.run([sys.executable, "-c", LOCKS, tmp_path], capture_output=True, text=True, check=False)
        assert "EnvironmentProblem: Another claimd is running in the data folder" in answer.stderr
    with files.data_dir_lock(tmp_path):
        pass


def test_an_unusable_data_folder_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(EnvironmentProblem, match=r"absent cannot be used \(No such file or directory\)"),
        files.data_dir_lock(tmp_path / "absent"),
    ):
        pass


def test_free_ports_lie_outside_of_the_range_of_outgoing_connections() -> None:
    assert all(20_000 <= ports.free_port() < 32_768 for _ in range(20))


def test_a_port_in_use_is_not_preferred() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.prefer(port) != port
        assert ports.hold(port) is None
    assert ports.prefer(port) == port


def test_two_that_start_at_once_do_not_take_the_same_port() -> None:
    port = ports.free_port()
    first = ports.hold(port)
    assert first is not None
    assert first.number == port
    assert ports.hold(port) is None
    first.release()
    second = ports.hold(port)
    assert second is not None
    second.release()


def test_what_a_killed_claimd_left_is_found_by_its_mark_and_ended() -> None:
    script = "trap '' TERM; sleep 1000 & wait; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], env={"CLAIMD_UP": "/a b"}) as left:
        wait_until(lambda: len(marked("CLAIMD_UP", "/a b")) == 2)
        end_leftovers(lambda: marked("CLAIMD_UP", "/other"), ())
        assert left.poll() is None
        end_leftovers(lambda: marked("CLAIMD_UP", "/a b"), ())
        left.wait(5)
    wait_until(lambda: not marked("CLAIMD_UP", "/a b"))
