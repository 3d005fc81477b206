"""The page docs/conformance.md: `python -m tests.conformance.page` runs the tests and writes it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
LIST = Path(__file__).with_name("requirements.yaml")
MARK = "requirement"

HEAD = """# Conformance

What CDS Hooks 2.0.1, and 3.0 where it only adds, demands of a service, and the tests that show it.
Numbers are ours; the words are too. "design" is what follows from the specification in practice.
Every answer that a test of this project gets is also held against the JSON Schemas that the service
publishes under `/schemas/`. Made by `python -m tests.conformance.page`, which runs the tests.
"""
STATUS = {
    "met": "met",
    "deployment": "left to deployment",
    "not-applicable": "not applicable",
    "open": "open",
}


@dataclass(frozen=True, order=True)
class Test:
    """A test function, named as pytest names it without parameters."""

    path: str
    name: str

    @property
    def node(self) -> str:
        return f"{self.path}::{self.name}"


def sections() -> list[dict[str, Any]]:
    return list(yaml.safe_load(LIST.read_text(encoding="utf-8")))


def requirements() -> list[dict[str, Any]]:
    return [item for section in sections() for item in section["items"]]


def marked() -> dict[int, list[Test]]:
    """Return the tests that carry each number, as the source files have it."""
    found: dict[int, list[Test]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if MARK not in source:
            continue
        for name, numbers in _marks(ast.parse(source).body):
            for number in numbers:
                test = Test(path.relative_to(ROOT).as_posix(), name)
                found.setdefault(number, []).append(test)
    return found


def _marks(body: list[ast.stmt], prefix: str = "", own: tuple[int, ...] = ()) -> Iterator[Any]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _marks(node.body, f"{node.name}::", (*own, *_numbers(node)))
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{prefix}{node.name}", sorted({*own, *_numbers(node)})


def _numbers(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, ...]:
    calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
    named = [one for one in calls if ast.unparse(one.func).split(".")[-1] == MARK]
    return tuple(arg.value for one in named for arg in one.args if isinstance(arg, ast.Constant))


def render(results: Mapping[str, str]) -> str:
    """Return the page; `results` by test, "passed" where it is not named."""
    tests = marked()
    lines = [HEAD]
    for section in sections():
        lines += [f"## {section['section']}", "", "| No. | Requirement | Level | Status | Tests |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(item, tests.get(item["number"], []), results) for item in section["items"]]
        lines.append("")
    return "\n".join(lines)


def _row(item: Mapping[str, Any], tests: list[Test], results: Mapping[str, str]) -> str:
    told = STATUS[item["status"]] + (f": {item['why']}" if "why" in item else "")
    shown = "<br>".join(_told(test, results) for test in tests)
    return f"| {item['number']} | {item['text']} | {item['level']} | {told} | {shown} |"


def _told(test: Test, results: Mapping[str, str]) -> str:
    words = test.name.split("::")[-1].removeprefix("test_").replace("_", " ")
    return f"[{words}](../{test.path}): {results.get(test.node, 'passed')}"


class Results:
    """Collects the worst outcome of each test function over its parameters."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        node = report.nodeid.split("[")[0]
        if report.outcome != "passed":
            self.found[node] = report.outcome
        elif report.when == "call":
            self.found.setdefault(node, "passed")


def main() -> int:
    results = Results()
    nodes = sorted({test.node for tests in marked().values() for test in tests})
    status = pytest.main(["-q", "-p", "no:cacheprovider", *nodes], plugins=[results])
    PAGE.write_text(render({n: results.found.get(n, "not run") for n in nodes}), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
