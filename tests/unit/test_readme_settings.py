"""What the documentation says of the program is made from the program."""

import pytest

from worker.cli import reference
from worker.settings import Settings


def test_the_readme_lists_every_setting() -> None:
    readme = reference.README.read_text(encoding="utf-8")
    if not reference.MARKED.search(readme):
        pytest.skip("the README has no markers for the settings yet")
    assert reference.with_settings(readme) == readme, "run python -m worker.cli.reference"


def test_the_table_of_settings_has_a_row_for_each_with_its_meaning() -> None:
    rows = reference.settings_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [f"CLAIMD_{name.upper()}" for name in Settings.model_fields]
    assert all(row.count("|") == 4 for row in rows)
    assert "| `CLAIMD_LEASE` | `PT30S` |" in reference.settings_table()


def test_defaults_are_written_as_settings_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in reference.settings_table().splitlines()[2:]:
        name, default = (cell.strip(" `") for cell in row.split("|")[1:3])
        if default:
            monkeypatch.setenv(name, default)
    found = Settings()
    for name in found.model_fields_set:
        assert getattr(found, name) == Settings.model_fields[name].default
    assert len(found.model_fields_set) > 20


def test_the_readme_is_left_alone_outside_of_its_markers() -> None:
    readme = "a\n<!-- settings -->\nold\n<!-- /settings -->\nb\n"
    table = reference.settings_table()
    assert reference.with_settings(readme) == f"a\n<!-- settings -->\n{table}\n<!-- /settings -->\nb\n"
    assert reference.with_settings("a\n") == "a\n"


def test_the_reference_of_commands_is_up_to_date() -> None:
    written = reference.COMMANDS.read_text(encoding="utf-8")
    assert written == reference.command_reference(), "run python -m worker.cli.reference"
