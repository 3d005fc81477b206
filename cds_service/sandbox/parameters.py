"""Which search parameters the sandbox knows, read from parameters.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("parameters.yaml")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: `kind` token, reference, date, uri or string; dotted `paths`."""

    name: str
    kind: str
    paths: tuple[tuple[str, ...], ...]

    def values(self, resource: Mapping[str, Any]) -> Iterator[Any]:
        """Yield what the resource holds at the paths, lists flattened."""
        for path in self.paths:
            yield from _walk(resource, path)


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        yield from _walk(value.get(path[0]), path[1:])


def _parameter(name: str, text: str) -> Parameter:
    kind, *paths = text.split()
    return Parameter(name, kind, tuple(tuple(path.split(".")) for path in paths))


@cache
def catalogue() -> dict[str, dict[str, Parameter]]:
    """Return the parameters of each resource type that the sandbox serves."""
    data = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return {
        kind: {name: _parameter(name, text) for name, text in (data["every"] | own).items()}
        for kind, own in data["types"].items()
    }
