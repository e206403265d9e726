"""A PostgreSQL cluster on disk: made whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.embedded.account import give
from worker.embedded.binaries import major_version
from worker.embedded.files import closing, sync_folder
from worker.embedded.process import Account, Command, run
from worker.errors import EnvironmentProblem

ROLE = "claimd"
_SUPERUSER = "postgres"
# Nobody can log in as the superuser; what needs one is done in single-user mode while the server is down.
_HBA = f"# Written by claimd\nhost all {ROLE} 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Cluster:
    """The folder of a cluster, and who runs which server on it."""

    folder: Path
    bin_dir: Path
    account: Account | None

    @contextmanager
    def command(self, program: str, *arguments: str, folder: Path | None = None) -> Iterator[Command]:
        """A command line on the cluster, whose folder is written `{folder}` in `arguments`.

        Root's server runs under another account, which need not be able to pass the folders above. The folder
        is opened while still root, and `/proc/self/fd/…` leads into it from there: nobody's home has to be
        opened to others, and the path can have any length.
        """
        folder = folder or self.folder
        with closing(os.open(folder, os.O_RDONLY)) as descriptor:
            name = str(folder) if self.account is None else f"/proc/self/fd/{descriptor}"
            yield Command(
                argv=[self.bin_dir / program, *(word.replace("{folder}", name) for word in arguments)],
                env=_environment(),
                cwd=folder,
                account=self.account,
                descriptors=() if self.account is None else (descriptor,),
            )

    def exists(self) -> bool:
        """Whether there is a cluster already.

        Raises:
            EnvironmentProblem: another version of PostgreSQL made it.
        """
        if not (self.folder / "PG_VERSION").exists():
            return False
        self._check_version()
        return True

    def create(self, password: str) -> None:
        """Makes the cluster with the role and the database `claimd`.

        Raises:
            EnvironmentProblem: it cannot be made.
        """
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self.account is not None:
            give(new, self.account)
        self._initialize(new, password)
        new.rename(self.folder)
        sync_folder(self.folder.parent)

    def set_password(self, password: str) -> None:
        """Gives the role a new password; the server must be down."""
        self._single_user(self.folder, [f"ALTER ROLE {ROLE} PASSWORD '{password}'"])

    def _initialize(self, folder: Path, password: str) -> None:
        options = ("-U", _SUPERUSER, "-E", "UTF8", "--locale=C", "--auth=reject")
        with self.command("initdb", "-D", "{folder}", *options, folder=folder) as command:
            answer = run(command)
        if answer.returncode != 0:
            raise EnvironmentProblem(f"PostgreSQL could not make {folder}: {_gist(answer.stderr)}")
        role = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'"
        self._single_user(folder, [role, f"CREATE DATABASE {ROLE} OWNER {ROLE}"])
        (folder / "pg_hba.conf").write_text(_HBA, encoding="ascii")

    def _single_user(self, folder: Path, statements: Sequence[str]) -> None:
        # A password with quotes or line ends would break out of its statement; ours are hexadecimal.
        arguments = ("--single", "-D", "{folder}", "-c", "exit_on_error=true", _SUPERUSER)
        with self.command("postgres", *arguments, folder=folder) as command:
            answer = run(command, "".join(f"{line};\n" for line in statements))
        if answer.returncode != 0:
            raise EnvironmentProblem(f"PostgreSQL could not set up {folder}: {_gist(answer.stderr)}")

    def _check_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = major_version(self.bin_dir)
        if made_by != ours:
            raise EnvironmentProblem(
                f"The database in {self.folder} was made by PostgreSQL {made_by}, "
                f"and this is PostgreSQL {ours}: "
                "choose another --data-dir, or bring the data over with pg_upgrade."
            )


def new_password() -> str:
    """A password that is safe in SQL, in URLs and against guessing."""
    return secrets.token_hex(24)


def _environment() -> dict[str, str]:
    """Nothing that would steer PostgreSQL (PGDATA, PGOPTIONS, LC_…) gets in."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


def _gist(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marked = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (marked or lines or ["it said nothing"])[0]
