"""Files that people write, with a memory of where everything stood: an error names its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

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


class SourceError(ValueError):
    """Files that cannot be used; `problems` holds every reason found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Source:
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


def parse_yaml(
    name: str, text: str, loader: Callable[[str], Any], error: type[SourceError]
) -> Source:
    """Parse YAML; raise `error` when it is no YAML or a key stands twice in one map."""
    lines: dict[Path, int] = {(): 1}
    try:
        reading = loader(text)
        node = reading.get_single_node()
        twice = list(_walk(node, (), lines))
        data = reading.construct_document(node) if node else None
    except yaml.YAMLError as fault:
        raise error([_syntax_problem(name, fault)]) from None
    if twice:
        remedy = "give each key once in a map"
        raise error([Problem(name, line, f"'{key}' stands twice", remedy) for key, line in twice])
    return Source(name, data, lines)


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "this is not YAML"
    return Problem(name, mark.line + 1 if mark else 1, str(what), "mend the YAML syntax")


def _walk(node: Any, path: Path, lines: dict[Path, int]) -> Iterator[tuple[str, int]]:
    """Record the line of every path; yield keys that stand twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                yield key, line
            seen.add(key)
            lines[*path, key] = line
            yield from _walk(value_node, (*path, key), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            yield from _walk(item, (*path, index), lines)
