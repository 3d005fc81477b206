"""The shape of policy files: JSON Schema, with errors that name place and remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.terminology.source import Path, Problem, Source


@cache
def schema(name: str) -> dict[str, Any]:
    """Return a schema file."""
    path = files("cds_service.policies") / "schemas" / name
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True)
class Checker:
    """A compiled schema: `fast` tells whether data fit, `thorough` what is wrong with them."""

    fast: jsonschema_rs.Draft202012Validator
    thorough: Draft202012Validator

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Checker:
        """Compile a schema."""
        return cls(jsonschema_rs.Draft202012Validator(schema), Draft202012Validator(schema))


@cache
def validator() -> Checker:
    """Return the validator of policy files."""
    return Checker.of(schema("policy.schema.json"))


@cache
def leaf_schema(name: str) -> dict[str, Any]:
    """Return the schema of a leaf's arguments."""
    return {**schema(f"leaves/{name}.json"), "$defs": schema("policy.schema.json")["$defs"]}


@cache
def leaf_validator(name: str) -> Checker:
    """Return the validator of a leaf's arguments."""
    return Checker.of(leaf_schema(name))


def errors_of(checker: Checker, data: Any) -> list[ValidationError]:
    """Return the errors of data, by place."""
    if _fits(checker, data):
        return []
    found = checker.thorough.iter_errors(data)
    return sorted(found, key=lambda error: [str(p) for p in error.path])


def _fits(checker: Checker, data: Any) -> bool:
    """Whether data are right for certain; what YAML can say and JSON cannot is looked at anew."""
    try:
        return checker.fast.is_valid(data)
    except (TypeError, ValueError):
        return False


def shape_problem(source: Source, error: ValidationError) -> Problem:
    """Return an error as a problem of a file, at the deepest place it can be traced to."""
    deepest = error
    while deepest.context:
        deepest = max(deepest.context, key=lambda inner: len(inner.absolute_path))
    return source.problem(place(deepest), said(deepest), remedy(deepest))


def place(error: ValidationError) -> Path:
    """Return the path of an error; of a key that does not belong there, that of the key."""
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
        strange = next((key for key in error.instance if key not in known), None)
        return path if strange is None else (*path, strange)
    return path


def said(error: ValidationError) -> str:
    """Return what is wrong, in one line."""
    where = ".".join(str(part) for part in error.absolute_path) or "the file"
    message = error.message if len(error.message) < 160 else f"{error.message[:157]}..."
    return f"{where}: {message}"


def _values(listed: Any) -> list[Any]:
    return listed if isinstance(listed, list) else []


def remedy(error: ValidationError) -> str:
    """Return what to write instead."""
    rule = error.validator
    if rule == "required":
        return "add what is missing; every rule and item cites its source"
    if rule == "additionalProperties":
        rules = error.schema
        allowed = ", ".join(rules.get("properties", {}) if isinstance(rules, Mapping) else ())
        return f"use one of: {allowed}" if allowed else "take it out"
    if rule == "enum":
        return "use one of: " + ", ".join(str(value) for value in _values(error.validator_value))
    rules = error.schema
    described = rules.get("description") if isinstance(rules, Mapping) else None
    return described or "see docs/policy-format.md"
