"""Run `claimd demo` and make a picture of what it prints.

Usage: python scripts/picture.py docs/demo.svg
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

THEME = TerminalTheme(
    (22, 27, 34),
    (225, 228, 232),
    [
        *((72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
)
WIDTH = 100
HOME = "/home/you/claimd"
# Where a terminal would have overwritten what stood there.
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
CURSOR = re.compile(r"\x1b\[\??[0-9]*[A-HJKhl]")
# The picture is to load nothing from elsewhere.
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run_demo() -> str:
    """All that the demo prints, with its colours."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
        argv = [sys.executable, "-m", "worker.cli.main", "demo"]
        done = subprocess.run(argv, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().replace(str(Path(folder).resolve()), HOME)


def last_words(output: str) -> str:
    """What remains on the terminal in the end."""
    return CURSOR.sub("", OVERWRITTEN.sub("", output))


def picture(output: str) -> str:
    """The SVG of a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"\x1b[1m$ make demo\x1b[0m\n{last_words(output)}"), no_wrap=True)
    svg = console.export_svg(title="claimd", theme=THEME, unique_id="demo")
    return FONTS.sub("", svg).replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas")


def main() -> None:
    """Write the picture to the file that the argument names."""
    Path(sys.argv[1]).write_text(picture(run_demo()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
