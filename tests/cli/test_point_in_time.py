"""A base backup and the archived log of the server bring back any moment since."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from tests.claims import add_devices, claim, holders, new_sender
from tests.cli.page import run_block
from tests.conftest import SECRET_KEY
from tests.embedded.waiting import wait_until
from tests.servers import running_postgres
from worker.embedded.account import give, server_account
from worker.embedded.binaries import postgres_bin_dir
from worker.embedded.cluster import ROLE, Cluster
from worker.embedded.postgres import EmbeddedPostgres
from worker.embedded.process import run
from worker.operations.lost import Accepted, find_lost
from worker.operations.verify import verify
from worker.runtime import Runtime, build_runtime
from worker.schema import migrate
from worker.settings import Settings

ARCHIVING = "archive_mode = on\narchive_command = 'cp %p {folder}/%f'\n"
RECOVERY = """archive_mode = off
restore_command = 'cp {folder}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = promote
"""


@dataclass(frozen=True)
class Site:
    """Where a server has its data and its archive."""

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def primary(self) -> Path:
        return self.folder / "primary"

    @property
    def restored(self) -> Path:
        return self.folder / "restored"


@pytest.fixture
def site() -> Iterator[Site]:
    """A folder that the server's account can pass, with a server that archives and lets its role replicate."""
    with tempfile.TemporaryDirectory(prefix="claimd-pitr-") as name:
        site = Site(Path(name))
        site.folder.chmod(0o755)
        site.archive.mkdir()
        with running_postgres(site.primary):
            pass
        _let_replicate(site)
        yield site


def _let_replicate(site: Site) -> None:
    cluster = site.primary / "postgres"
    account = server_account(cluster)
    if account is not None:
        give(site.archive, account)
    made = Cluster(cluster, postgres_bin_dir(account), account)
    with made.command("postgres", "--single", "-D", "{folder}", "postgres") as command:
        answer = run(command, f"ALTER ROLE {ROLE} REPLICATION;\n")
    assert answer.returncode == 0, answer.stderr
    with (cluster / "pg_hba.conf").open("a") as file:
        file.write(f"host replication {ROLE} 127.0.0.1/32 scram-sha-256\n")
    with (cluster / "postgresql.conf").open("a") as file:
        file.write(ARCHIVING.format(folder=site.archive))


def _runtime(url: str) -> Runtime:
    return build_runtime(Settings.model_validate({"database_url": url, "secret_key": SECRET_KEY}))


def _restore(site: Site, moment: str) -> None:
    """As the page has it: the base backup in place of the data folder, and what to recover to."""
    site.restored.mkdir()
    cluster = (site.folder / "base").rename(site.restored / "postgres")
    (site.restored / "postgres.json").write_bytes((site.primary / "postgres.json").read_bytes())
    (cluster / "recovery.signal").touch()
    with (cluster / "postgresql.conf").open("a") as file:
        file.write(RECOVERY.format(folder=site.archive, moment=moment))
    account = server_account(site.primary / "postgres")
    if account is not None:
        give(cluster, account)


def _is_promoted(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("select not pg_is_in_recovery()").fetchone() == (True,)


def test_a_restore_to_a_moment_is_sound_and_names_what_came_after_it(site: Site) -> None:
    with running_postgres(site.primary) as server, capture_logs() as log:
        runtime = _runtime(server.url)
        migrate(runtime.engine)
        add_devices(runtime, ["a1", "a2", "a3"])
        sender = new_sender(runtime, "north")
        claim(runtime, sender, b"a1\n")
        run_block("base backup", site.folder, REPLICATION_URL=server.url)
        claim(runtime, sender, b"a2\n")
        with psycopg.connect(server.url) as connection:
            (moment,) = connection.execute("select clock_timestamp()::text").fetchone() or ("",)
        late = claim(runtime, sender, b"a3\n")["id"]
        runtime.close()
    _restore(site, moment)
    with running_postgres(site.restored) as server:
        wait_until(lambda: _is_promoted(server))
        runtime = _runtime(server.url)
        assert set(holders(runtime)) == {"a1", "a2"}
        assert verify(runtime) == []
        named = [each["batch_id"] for each in log if each["event"] == "batch accepted"]
        assert [each.batch_id for each in find_lost(runtime, map(_accepted, named))] == [late]
        runtime.close()


def _accepted(batch_id: str) -> Accepted:
    return Accepted(batch_id, None, None, None, None, None, None, None, None)
