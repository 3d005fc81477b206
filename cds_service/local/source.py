"""TOML or YAML with a memory of where everything stood, so that each error and fact has a line."""

from __future__ import annotations

import re
import tomllib

import yaml

from cds_service.terminology.source import Path, Problem, Source, SourceError, parse_yaml

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_AT = re.compile(r"\s*\(?at (?:line (\d+), column \d+|end of document)\)?")


class SiteError(SourceError):
    """A site file that cannot be used; `problems` holds every reason found."""


def parse(name: str, text: str) -> Source:
    """Parse a site file: YAML by the ending of its name, else TOML.

    Raises SiteError when it is neither, or a key stands twice.
    """
    if name.lower().endswith((".yaml", ".yml")):
        return parse_yaml(name, text, yaml.SafeLoader, SiteError)
    return _toml(name, text)


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
