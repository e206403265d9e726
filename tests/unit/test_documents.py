"""What the README and the pages beside it say is held against the program."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import api_stub.app
from api_stub.problems import problem_types
from worker.batches.judgement import BAD_ROWS, PREVIEW_CHANGED
from worker.batches.steps import POISONED
from worker.batches.sweep import LAPSED
from worker.intake import problems as of_intake
from worker.states import TRANSITIONS, Outcome, SubscriptionState

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CHANGELOG.md"]
WITH_ROUTES = api_stub.app  # only with all routes imported are all problem types known


def table_rows(text: str) -> list[list[str]]:
    """The cells of every row whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]


def names_of_tests() -> set[str]:
    """Every test function of the suite."""
    files = (ROOT / "tests").rglob("test_*.py")
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def rejections() -> Iterator[tuple[str, str]]:
    """Type and title of every `InputRejected` that the code makes."""
    for path in (ROOT / "worker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == of_intake.InputRejected.__name__:
                kind, title = node.args[:2]
                assert isinstance(kind, ast.Constant)
                assert isinstance(title, ast.Constant)
                yield str(kind.value), str(title.value)


def test_the_diagram_has_the_transitions_of_the_code() -> None:
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)", README, re.MULTILINE))
    assert drawn == {(before.value, after.value) for before, exits in TRANSITIONS.items() for after in exits}
    assert "[*] --> received" in README


def test_the_states_of_a_subscription_are_drawn_and_explained() -> None:
    page = (ROOT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)", page, re.MULTILINE))
    assert {state for pair in drawn for state in pair} == set(SubscriptionState)
    explained = page.split("| state |")[1].split("\n\n")[0]
    assert [row[0] for row in table_rows(explained)] == list(SubscriptionState)


def test_every_outcome_is_explained() -> None:
    explained = README.split("### What it answers")[1].split("##")[0]
    assert [row[0] for row in table_rows(explained)] == [outcome.value for outcome in Outcome]


def test_every_guarantee_names_a_test_that_exists() -> None:
    section = README.split("## What you can rely on")[1].split("\n## ")[0]
    guarantees = section.split("\n- ")[1:]
    named = [re.findall(r"`(test_\w+)`", guarantee) for guarantee in guarantees]
    assert all(named), guarantees
    assert {name for names in named for name in names} <= names_of_tests()


def test_every_problem_type_of_the_api_is_listed() -> None:
    of_api, _ = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8").split("## Problems of a batch")
    listed = [(row[0], int(row[1]), row[2]) for row in table_rows(of_api)]
    assert listed == [(each.type, each.status, each.title) for each in problem_types()]


def test_every_problem_of_a_batch_is_listed() -> None:
    _, of_batches = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8").split("## Problems of a batch")
    listed = {(row[0], row[2]) for row in table_rows(of_batches)}
    endings = {(str(each["type"]), str(each["title"])) for each in (BAD_ROWS, PREVIEW_CHANGED, POISONED, LAPSED)}
    assert listed == {*rejections(), *endings, ("max-claims-exceeded", "More devices than allowed")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    files = re.findall(r"`((?:worker|docs|scripts|tests)/[\w/.]+\.(?:py|md|svg))`", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_the_picture_loads_nothing_and_names_nobodys_folders() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert re.findall(r"url\((?!#)|href=", picture) == []
    assert "/home/you/claimd/claimd-demo-report.csv" in picture.replace("&#160;", " ")
    assert "claimd-demo-report.csv" not in picture.replace("/home/you/claimd/claimd-demo-report.csv", "")
