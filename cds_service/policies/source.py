"""YAML with a memory of where everything stood, so that an error can name file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cds_service.terminology.measures import Loader

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file, where, and what to write instead."""

    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}; {self.remedy}"


class PolicyError(Exception):
    """A policy set that cannot be used; `problems` holds every reason found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class SourceFile:
    """A parsed file: its data, and the line of every path in it."""

    name: str
    data: Any
    lines: dict[Path, int]

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of a path, or of its nearest ancestor."""
        at = tuple(path)
        while at not in self.lines and at:
            at = at[:-1]
        return self.lines.get(at, 1)

    def problem(self, path: Sequence[str | int], what: str, remedy: str) -> Problem:
        """Return a problem located at a path."""
        return Problem(self.name, self.line(path), what, remedy)


def read_source(name: str, text: str) -> SourceFile:
    """Parse YAML; raise PolicyError when it is no YAML or a key stands twice in one map."""
    lines: dict[Path, int] = {(): 1}
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        twice = [
            Problem(name, line, f"'{key}' stands twice", "give each key once in a map")
            for key, line in _walk(node, (), lines)
        ]
        data = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        raise PolicyError([_syntax_problem(name, error)]) from error
    if twice:
        raise PolicyError(twice)
    return SourceFile(name, data, lines)


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "this is not YAML"
    return Problem(name, mark.line + 1 if mark else 1, str(what), "mend the YAML syntax")


def _walk(node: Any, path: Path, lines: dict[Path, int]) -> Iterator[tuple[str, int]]:
    """Record the line of every path; yield keys that stand twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in seen:
                yield key, key_node.start_mark.line + 1
            seen.add(key)
            lines[*path, key] = key_node.start_mark.line + 1
            yield from _walk(value_node, (*path, key), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            yield from _walk(item, (*path, index), lines)
