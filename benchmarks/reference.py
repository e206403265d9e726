"""(a): a script for psql that does the same work on the same database, in one transaction."""

import os
import subprocess
import time
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from benchmarks.installation import Installation
from worker.embedded.binaries import postgres_bin_dir

_SCRIPT = Path(__file__).with_name("reference.sql")
# No batch of claimd's has it.
BATCH_KEY = 10**12


def run_reference(installation: Installation, claims: Path, report: Path) -> float:
    """Claim everything in the file and write the report; returns the seconds that it took."""
    script = _SCRIPT.read_text(encoding="utf-8")
    script = script.replace("{claims}", _quoted(claims)).replace("{report}", _quoted(report))
    variables = {"project_id": installation.up["project_id"], "batch": str(BATCH_KEY)}
    words = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    started = time.perf_counter()
    subprocess.run(
        [postgres_bin_dir(None) / "psql", "--no-psqlrc", "--quiet", *words],
        input=script,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), **_target(installation.up["database_url"])},
        check=True,
    )
    return time.perf_counter() - started


def _target(database_url: str) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {names[name]: str(value) for name, value in conninfo_to_dict(database_url).items() if name in names}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
