"""The system account that PostgreSQL runs under, because it refuses to run as root."""

import os
import pwd
import shutil
import sys
from pathlib import Path

from worker.embedded.process import Account
from worker.errors import EnvironmentProblem

_CANDIDATES = ("postgres", "nobody")


def server_account(cluster: Path) -> Account | None:
    """None when we are an ordinary user; for root the owner of `cluster`, or an account found everywhere.

    Raises:
        EnvironmentProblem: there is none.
    """
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise EnvironmentProblem("PostgreSQL does not run as root: run claimd as an ordinary user.")
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EnvironmentProblem(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody`: run claimd as another user."
    )


def give(tree: Path, account: Account) -> None:
    """Makes `account` the owner of everything in `tree`, which is ours."""
    shutil.chown(tree, account.uid, account.gid)
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            os.chown(Path(folder) / name, account.uid, account.gid, follow_symlinks=False)
