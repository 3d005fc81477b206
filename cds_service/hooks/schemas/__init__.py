"""JSON Schemas (2020-12) of CDS Hooks 2.0.1 with what 3.0 adds: read, resolved and applied.

The description of each member says what it must be; the same words tell a caller what to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import (
    Draft202012Validator,
    Registry,
    ValidationError,
    ValidationErrorKind,
    dereference,
)

Json = dict[str, Any]
Steps = Sequence[str | int]

_HERE = Path(__file__).parent
_BASE = "json-schema:///"
_MOST = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of a schema: where it is and what must stand there, never the value found."""

    steps: tuple[str | int, ...]
    missing: bool
    must_be: str

    @property
    def place(self) -> str:
        """The place as people write it: "cards[0].summary"."""
        told = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.steps)
        return told.removeprefix(".")

    def __str__(self) -> str:
        state = "is missing: it must be" if self.missing else "must be"
        return f"{self.place or 'the whole'} {state} {self.must_be}"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all schemas."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.json")))


@cache
def published(name: str) -> Json:
    """Return a schema as its file has it; references lead to other schemas by file name."""
    found = orjson.loads((_HERE / f"{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


@cache
def whole(name: str) -> Json:
    """Return a schema without references: what they lead to stands in their place."""
    registry = Registry([(f"{_BASE}{one}.json", published(one)) for one in names()])
    made = dereference(published(name), registry=registry, base_uri=f"{_BASE}{name}.json")
    plain = _without_parts(made)
    assert isinstance(plain, dict)
    return plain


def _without_parts(node: Any) -> Any:
    """Leave out $defs, to which nothing refers any more, and $schema below the root."""
    if isinstance(node, dict):
        kept = {key: _without_parts(item) for key, item in node.items()}
        return {key: item for key, item in kept.items() if key not in ("$defs", "$schema")}
    return [_without_parts(item) for item in node] if isinstance(node, list) else node


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the compiled schema: microseconds a document."""
    return Draft202012Validator(whole(name))


def problems(name: str, value: Any) -> Iterator[Problem]:
    """Yield the breaches of a schema in a JSON value, 50 at most."""
    checker = validator(name)
    if checker.is_valid(value):
        return
    for error in islice(checker.iter_errors(value), _MOST):
        yield _problem(whole(name), error)


def shallowest(found: Iterable[Problem]) -> Problem | None:
    """Return the breach nearest to the root: what lies deeper often follows from it."""
    return min(found, key=lambda one: len(one.steps), default=None)


def _problem(schema: Json, error: ValidationError) -> Problem:
    steps = tuple(error.instance_path)
    if not isinstance(error.kind, ValidationErrorKind.Required):
        return Problem(steps, False, _near(schema, error.schema_path[:-1]))
    steps = (*steps, error.kind.property)
    return Problem(steps, True, _words(schema, steps))


def _near(schema: Any, way: Steps) -> str:
    """Return the description nearest to a keyword on its way through the schema."""
    told = ""
    for step in way:
        schema = schema[step]
        if isinstance(schema, dict):
            told = str(schema.get("description", told))
    return told


def _words(schema: Json, steps: Steps) -> str:
    """Return the description of the member at a place of a document."""
    parts = [schema]
    for step in steps:
        parts = [inner for part in parts for inner in _inside(part, step)]
    return next((str(part["description"]) for part in parts if "description" in part), "there")


def _inside(schema: Json, step: str | int) -> Iterator[Json]:
    """Yield what a schema says of one member, directly or by the schemas it is made of."""
    inner = schema.get("properties", {}).get(step) if isinstance(step, str) else schema.get("items")
    if isinstance(inner, dict):
        yield inner
    for part in [*schema.get("allOf", ()), schema.get("then")]:
        if isinstance(part, dict):
            yield from _inside(part, step)
