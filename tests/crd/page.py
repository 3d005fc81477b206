"""The page docs/crd-conformance.md: `python -m tests.crd.page` writes it from conformance.yaml."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "crd-conformance.md"
STATEMENTS = HERE / "conformance.yaml"
STATES = ("met", "not-applicable", "deployment")

HEAD = """# Conformance with Da Vinci CRD

Every statement of the Coverage Requirements Discovery guide 2.2.1 that is about servers, by its id
there and in our words. *Met* names the tests that show it; *not applicable* says why; *left to
deployment* says what to do. Made by `python -m tests.crd.page`; a test holds it against the guide's
list of statements. How an evaluation becomes codes: [crd.md](crd.md).
"""
GROUPS = {
    "billopt": "Billing options",
    "conf": "Profiles",
    "covinfo": "Coverage information",
    "dev": "Versions, options and links between responses",
    "found": "Foundations",
    "hook": "Hooks",
    "impl": "Implementation",
    "metric": "Metrics",
    "mm": "Member match",
    "ops": "Operation",
    "prof": "Codes",
    "resp": "Responses",
    "sec": "Security",
}


def rows() -> dict[str, dict[str, Any]]:
    """Return the statements by id."""
    return dict(yaml.safe_load(STATEMENTS.read_text(encoding="utf-8")))


def tests_of(row: dict[str, Any]) -> list[str]:
    """Return the tests that a row names, as pytest names them from the root."""
    named = row.get("met", ())
    return [one if one.startswith("tests/") else f"tests/crd/{one}" for one in named]


def exists(test: str) -> bool:
    """Whether a test, or a file of tests, is there."""
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or name in defined(file))


@cache
def defined(file: Path) -> frozenset[str]:
    """Return the tests that a file defines."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (one.name for one in node.body if isinstance(one, ast.FunctionDef))
            found |= {f"{node.name}::{name}" for name in inner}
    return frozenset(found)


def text() -> str:
    """Return the page."""
    lines = [HEAD, *_counts()]
    by_group: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, row in rows().items():
        by_group.setdefault(name.split("-")[0], []).append((name, row))
    for group, listed in by_group.items():
        lines += [f"\n## {GROUPS[group]}\n", "| id | a server | state |", "|---|---|---|"]
        lines += [_line(name, row) for name, row in listed]
    return "\n".join(lines) + "\n"


def _counts() -> list[str]:
    found = rows().values()
    must = [row for row in found if row["must"].startswith("SHALL")]
    told = []
    for words, listed in (("SHALL and SHALL NOT", must), ("all", [*found])):
        counts = [str(sum(state in row for row in listed)) for state in STATES]
        told.append(f"| {words} | {len(listed)} | {' | '.join(counts)} |")
    head = "| statements | number | met | not applicable | left to deployment |"
    return [head, "|---|---|---|---|---|", *told]


def _line(name: str, row: dict[str, Any]) -> str:
    return f"| {name} | {row['must']} {row['gist']} | {_state(row)} |"


def _state(row: dict[str, Any]) -> str:
    if "not-applicable" in row:
        return f"not applicable: {row['not-applicable']}"
    if "deployment" in row:
        return f"left to deployment: {row['deployment']}"
    tests = ", ".join(_link(one) for one in tests_of(row))
    note = f" {row['note']}" if "note" in row else ""
    return f"met: {tests}.{note}"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    words = name.rpartition("::")[2].removeprefix("test_").replace("_", " ") or Path(path).stem
    return f"[{words}](../{path})"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
