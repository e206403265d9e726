"""The commands of docs/operations.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.compose import ROOT
from worker.embedded.binaries import postgres_bin_dir

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_BLOCKS = dict(re.findall(r"^```sh\n# ([a-z ]+)[^\n]*\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL))


def run_block(name: str, folder: Path, **environment: str) -> None:
    """Run the block whose first line is the comment `name`, in `folder`, with those of the wheel's PostgreSQL."""
    path = os.pathsep.join([str(postgres_bin_dir(None)), str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, **environment, "PATH": path}
    done = subprocess.run(
        ["sh", "-ec", _BLOCKS[name]], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
