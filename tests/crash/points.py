"""Every place in the code where something is committed, found by reading it; and what is told of each."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("worker", "api_stub")
# These are handed a transaction's opening or closing; who calls them is the one who commits.
_PLUMBING = frozenset({"worker.database", "worker.runtime"})
_OPENS = frozenset({"transaction", "begin"})
_CONTEXTS = frozenset({"one_statement", "one_snapshot"})


def commit_points() -> set[str]:
    """`module.function` of all functions that open a transaction, whose end commits it."""
    return {name for path in _modules() for name in _committers(path)}


def other_places() -> set[str]:
    """All places that are no commit and have names of their own."""
    calls = (node for path in _modules() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {
        str(node.args[0].value)
        for node in calls
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crashpoints.reach"
        if isinstance(node.args[0], ast.Constant)
    }


def _modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def _committers(path: Path) -> Iterator[str]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if module in _PLUMBING or ".migrations" in module:
        return
    yield from _functions(ast.parse(path.read_text(encoding="utf-8")), module)


def _functions(node: ast.AST, prefix: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}.{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}.{child.name}"
            if any(_opens_transaction(each) for each in _own_nodes(child)):
                yield name
            yield from _functions(child, f"{name}.<locals>")
        else:
            yield from _functions(child, prefix)


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a function but those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


def _opens_transaction(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _OPENS
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CONTEXTS
