"""TOML or YAML with a memory of where everything stood, so that each error and fact has a line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_AT = re.compile(r"\s*\(?at (?:line (\d+), column \d+|end of document)\)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a site file, where, and what to write instead."""

    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}; {self.remedy}"


class SiteError(ValueError):
    """A site file that cannot be used; `problems` holds every reason found."""

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


def parse(name: str, text: str) -> Source:
    """Parse a site file: YAML by the ending of its name, else TOML.

    Raises SiteError when it is neither, or a key stands twice.
    """
    return _yaml(name, text) if name.lower().endswith((".yaml", ".yml")) else _toml(name, text)


def _toml(name: str, text: str) -> Source:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SiteError([_toml_problem(name, text, str(error))]) from None
    return Source(name, data, _toml_lines(text))


def _toml_problem(name: str, text: str, said: str) -> Problem:
    place = _AT.search(said)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return Problem(name, line, _AT.sub("", said), "mend the TOML syntax")


def _toml_lines(text: str) -> dict[Path, int]:
    """Return the line of every table and key; values within a line have that of their key."""
    lines: dict[Path, int] = {(): 1}
    tables: dict[Path, int] = {}
    here: Path = ()
    row: Path | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here, row = _table(header, tables), None
            lines.setdefault(here, number)
        elif key := _KEY.match(line):
            path = (*here, *_parts(key[1]))
            lines[path] = number
            row = (*path, -1) if line[key.end() :].split("#")[0].strip() == "[" else None
        elif row and line.strip() and line.strip()[0] not in "#]":
            row = (*row[:-1], int(row[-1]) + 1)
            lines[row] = number
    return lines


def _table(header: re.Match[str], tables: dict[Path, int]) -> Path:
    """Return the path of a table; in a list of tables it is the newest, or a new one."""
    path: Path = ()
    *outer, last = _parts(header[2])
    for part in outer:
        path = (*path, part)
        path = (*path, tables[path]) if path in tables else path
    path = (*path, last)
    if header[1] == "[[":
        tables[path] = tables.get(path, -1) + 1
        path = (*path, tables[path])
    return path


def _parts(written: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(written)]


def _yaml(name: str, text: str) -> Source:
    lines: dict[Path, int] = {(): 1}
    try:
        twice = list(_yaml_lines(yaml.compose(text, Loader=yaml.SafeLoader), (), lines))
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SiteError([_yaml_problem(name, error)]) from None
    if twice:
        remedy = "give each key once in a map"
        raise SiteError(
            [Problem(name, line, f"'{key}' stands twice", remedy) for key, line in twice]
        )
    return Source(name, data, lines)


def _yaml_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "this is not YAML"
    return Problem(name, mark.line + 1 if mark else 1, str(what), "mend the YAML syntax")


def _yaml_lines(node: Any, path: Path, lines: dict[Path, int]) -> Iterator[tuple[str, int]]:
    """Record the line of every path; yield keys that stand twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                yield name, line
            seen.add(name)
            lines[*path, name] = line
            yield from _yaml_lines(value, (*path, name), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            yield from _yaml_lines(item, (*path, index), lines)
