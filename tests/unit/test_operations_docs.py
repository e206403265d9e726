"""docs/operations.md names only settings and commands that there are."""

import re
from typing import Any

from typer.main import get_command

from tests.compose import ROOT
from worker.cli.main import app
from worker.settings import Settings

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_setting_named_there_exists() -> None:
    named = set(re.findall(r"CLAIMD_([A-Z_]+)", PAGE))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_command_named_there_exists() -> None:
    lines = set(re.findall(r"(?:^|`)claimd ([a-z][a-z ]*?)(?: -|[^a-z ]|$)", PAGE, re.MULTILINE))
    assert {"verify", "pause", "batch list", "lost"} <= lines
    for line in lines:
        command: Any = get_command(app)
        for word in line.split():
            command = command.commands[word] if hasattr(command, "commands") else command
