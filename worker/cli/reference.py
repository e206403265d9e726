"""What the documentation says of commands and settings, made from the program itself.

`python -m worker.cli.reference` writes `docs/cli.md`, and the table of settings into the README.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.main import get_command

from worker.cli.main import app
from worker.settings import Settings

REPOSITORY: Final = Path(__file__).parents[2]
COMMANDS: Final = REPOSITORY / "docs" / "cli.md"
README: Final = REPOSITORY / "README.md"
MARKED: Final = re.compile("(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)
_WIDTH: Final = 100
_TITLE: Final = "# The command line\n\nWritten by `python -m worker.cli.reference`; a test holds it true.\n"
_EXITS: Final = """
Exit codes: 0 done; 1 done with failed rows, where `--fail-on-rows` asked for it, or broken invariants; 2 usage or
environment; 3 refused by the server, also a batch that was waited for and ended `rejected` or `failed`;
130 interrupted. With `--json`, errors are problem documents on standard error.
"""


def command_reference() -> str:
    """The help of every command, in Markdown."""
    sections = _sections(get_command(app), None, "claimd")
    return _TITLE + _EXITS + "".join(f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in sections)


def settings_table() -> str:
    """All settings with their defaults and meanings, as a table in Markdown."""
    rows = [
        f"| `CLAIMD_{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def with_settings(readme: str) -> str:
    """The README with the present table between its markers; unchanged if it has none."""
    return MARKED.sub(lambda found: f"{found[1]}{settings_table()}\n{found[2]}", readme)


def write() -> None:
    """Bring the documents up to date."""
    COMMANDS.parent.mkdir(exist_ok=True)
    COMMANDS.write_text(command_reference(), encoding="utf-8")
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")


def _sections(command: Any, parent: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # Typer's own, which it does not name
    context = command.make_context(
        path, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    context.info_name = path.rpartition(" ")[2]
    lines = command.get_help(context).splitlines()
    yield path, "\n".join(line.rstrip() for line in lines).strip()
    for name, child in getattr(command, "commands", {}).items():
        yield from _sections(child, context, f"{path} {name}")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, timedelta):
        return f"`{_iso(value)}`"
    return f"`{value}`"


def _iso(value: timedelta) -> str:
    """As a setting is written: `P7D`, `PT30S`."""
    days, seconds = value.days, value.seconds
    parts = [(seconds // 3600, "H"), (seconds % 3600 // 60, "M"), (seconds % 60, "S")]
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


if __name__ == "__main__":
    write()
