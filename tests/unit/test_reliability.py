"""What docs/reliability.md says is held against the tests."""

import re

from tests.unit.test_documents import ROOT, names_of_tests

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS, BUGS = PAGE.split("## Bugs put in by hand")


def rows(text: str) -> list[list[str]]:
    """The cells of every row below the head of a table."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith("shown by |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_fault_names_tests_that_exist() -> None:
    named = [re.findall(r"`(test_\w+)`", row[-1]) for row in rows(FAULTS.split("## Soak")[0])]
    assert len(named) > 20
    assert all(named)
    assert {name for names in named for name in names} - names_of_tests() == set()


def test_every_bug_that_is_put_in_by_hand_is_listed_with_the_tests_that_find_it() -> None:
    source = (ROOT / "scripts" / "mutants.py").read_text(encoding="utf-8")
    listed = {bug: re.findall(r"`(test_\w+)`", found_by) for bug, found_by in rows(BUGS)[1:]}
    assert list(listed) == re.findall(r'Mutant\(\s+"([^"]+)"', source)
    assert all(listed.values())
    assert {name for names in listed.values() for name in names} - names_of_tests() == set()
