"""`make soak`: half an hour of load and faults; at the end nothing is lost, and nothing is there twice.

`python -m tests.soak [PAGE]` prints a table, and puts it into the page, between its marks. MINUTES and SEED are read
from the environment. Exit code 1 if anything is not as it must be.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from secrets import token_hex

from tests.soak.soak import Soak

_MARKED = re.compile(r"(<!-- soak -->\n).*?(<!-- /soak -->)", re.DOTALL)


def main() -> int:
    """Run it, and say what has come of it."""
    for name in [name for name in os.environ if name.startswith("CLAIMD_")]:
        del os.environ[name]
    minutes, seed = float(os.environ.get("MINUTES", "30")), os.environ.get("SEED", token_hex(3))
    _say(f"{minutes:g} minutes, SEED={seed}")
    soak = Soak(minutes, seed, _say)
    with tempfile.TemporaryDirectory(prefix="claimd-soak-") as folder:
        soak.run(Path(folder))
    table = soak.tally.table(minutes)
    sys.stdout.write(f"\n{table}\n\n{soak.tally.complaints()}\n")
    for page in map(Path, sys.argv[1:]):
        marked = _MARKED.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", page.read_text(encoding="utf-8"))
        page.write_text(marked, encoding="utf-8")
    return 0 if soak.tally.is_sound else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    sys.exit(main())
