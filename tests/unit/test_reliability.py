"""What docs/reliability.md says is held against the tests."""

import re
import runpy

from tests.unit.test_documents import ROOT, names_of_tests

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
MUTANTS = runpy.run_path(str(ROOT / "scripts" / "mutants.py"))["MUTANTS"]
FAULTS, BUGS = PAGE.split("## Bugs put in by hand")


def rows(text: str) -> list[list[str]]:
    """The cells of every row of all tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith(" by |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_fault_names_tests_that_exist() -> None:
    named = [re.findall(r"`(test_\w+)`", row[-1]) for row in rows(FAULTS.split("## Soak")[0])]
    assert len(named) > 20
    assert all(named)
    assert {name for names in named for name in names} - names_of_tests() == set()


def test_every_bug_that_is_put_in_by_hand_is_listed_with_the_tests_that_find_it() -> None:
    listed = {bug: re.findall(r"`(test_\w+)`", found_by) for bug, found_by in rows(BUGS)}
    assert list(listed) == [mutant.name for mutant in MUTANTS]
    assert all(listed.values())
    assert {name for names in listed.values() for name in names} - names_of_tests() == set()


def test_every_bug_can_still_be_put_in() -> None:
    changes = [change for mutant in MUTANTS for change in mutant.changes]
    assert [change for change in changes if (ROOT / change.file).read_text().count(change.before) != 1] == []
