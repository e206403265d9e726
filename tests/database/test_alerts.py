"""The alert rules: Prometheus would load them, they ask for what claimd tells, and each says what to do."""

import re
from typing import Any

import promql_parser
import pytest
import yaml
from flower.events import get_prometheus_metrics
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import MatchOp, VectorSelector

from tests.compose import ROOT
from worker.operations.metrics import render
from worker.runtime import Runtime
from worker.states import PeriodicTask

# What Prometheus adds by itself, and what docs/operations.md calls the scraped programs.
SCRAPED = {"up": {"job": {"claimd", "flower"}}}


def _rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


RULES = _rules()


def _selectors(expression: str) -> list[VectorSelector]:
    found: list[VectorSelector] = []

    def note(node: object) -> None:
        if isinstance(node, VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


@pytest.fixture
def told(runtime: Runtime) -> dict[str, dict[str, set[str]]]:
    """Every metric that there is, with its labels and their values."""
    told = {**SCRAPED, get_prometheus_metrics().worker_online._name: {}}  # noqa: SLF001  # nothing else names it
    for family in text_string_to_metric_families(render(runtime).decode()):
        for sample in family.samples:
            labels = told.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return told


def test_every_expression_asks_for_what_claimd_tells(told: dict[str, dict[str, set[str]]]) -> None:
    for rule in RULES:
        selectors = _selectors(rule["expr"])
        assert selectors, rule
        for selector in selectors:
            assert selector.name in told, rule
            for matcher in selector.matchers.matchers:
                assert matcher.op == MatchOp.Equal
                assert matcher.value in told[selector.name][matcher.name], rule


def test_every_rule_is_complete() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert promql_parser.parse_duration(rule.get("for", "1s")) is not None
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_periodic_task_has_an_alert_for_being_late() -> None:
    watched = {
        matcher.value
        for rule in RULES
        for selector in _selectors(rule["expr"])
        if selector.name == "claimd_periodic_late"
        for matcher in selector.matchers.matchers
    }
    assert watched == {task.value for task in PeriodicTask}


def test_every_alert_has_its_paragraph_and_every_paragraph_its_alert() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    paragraphs = dict(re.findall(r"^### (\w+)\n(.+)$", page, re.MULTILINE))
    assert list(paragraphs) == [rule["alert"] for rule in RULES]
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)` \| \d", page)) == {task.value for task in PeriodicTask}
