"""Answers on standard output: JSON for programs, tables for people."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width: nothing is cut off or wrapped there.
_ENDLESS: Final = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console that prints what it is given, without markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _ENDLESS
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def show_json(document: object) -> None:
    """One line of JSON; times in UTC."""
    sys.stdout.write(to_json(_in_utc(document)).decode() + "\n")


def show_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """One line for each row, with the values of `columns`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    console().print(table)


def show_fields(fields: Mapping[str, Any]) -> None:
    """One line for each field that has a value."""
    filled = {name: value for name, value in fields.items() if value not in (None, {}, [])}
    width = max(map(len, filled), default=0)
    for name, value in filled.items():
        console().print(f"{name:<{width}}  {_cell(value)}")


def show(document: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, either way."""
    if as_json:
        show_json(document)
    else:
        show_fields(document)


def show_list(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Several things, either way."""
    if as_json:
        show_json(rows)
    else:
        show_table(rows, columns)


def show_page(page: Mapping[str, Any], columns: Sequence[str], *, as_json: bool) -> None:
    """A page of a list, either way, and where the next one begins."""
    if as_json:
        show_json(page)
        return
    show_table(page["items"], columns)
    if page.get("next_cursor"):
        say(f"There is more: --cursor {page['next_cursor']}")


def say(line: str) -> None:
    """One line for a person."""
    console().print(printable(line))


def printable(text: str) -> str:
    """`text` without characters that would command a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(map(_cell, value))
    return printable(str(value))


def _in_utc(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, Mapping):
        return {name: _in_utc(each) for name, each in value.items()}
    return [_in_utc(each) for each in value] if isinstance(value, (list, tuple)) else value
