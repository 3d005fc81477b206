"""Value sets: FHIR ValueSet JSON compiled once to hash look-ups.

A code system with a hierarchy in its codes (ICD-10-CM, CPT sections, NUCC) is held as prefixes
(filter `concept is-a`), the others as lists of concepts. An exclusion is a prefix, or a regular
expression where a position counts, such as the seventh character of an injury. Expressions see
the dotted form of an ICD-10-CM code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import orjson

from cds_service.terminology.systems import ICD10CM, normal_code, normal_system


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One value set: its short name, and the FHIR resource it was read from."""

    id: str
    title: str
    version: str
    resource: Mapping[str, Any]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that use it."""
        purpose = str(self.resource.get("purpose", ""))
        return tuple(purpose.removeprefix("Rules: ").split(", ")) if purpose else ()


@dataclass(slots=True)
class _Exclusions:
    prefixes: set[str] = field(default_factory=set)
    patterns: list[re.Pattern[str]] = field(default_factory=list)

    def hold(self, system: str, code: str) -> bool:
        if any(code[:length] in self.prefixes for length in range(1, len(code) + 1)):
            return True
        shown = dotted(code) if system == ICD10CM else code
        return any(pattern.fullmatch(shown) for pattern in self.patterns)


class Index:
    """Which value sets hold a code: one look-up for each prefix of the code."""

    def __init__(self, value_sets: Iterable[ValueSet]) -> None:
        self._codes: dict[str, dict[str, list[str]]] = {}
        self._prefixes: dict[str, dict[str, list[str]]] = {}
        self._excluded: dict[tuple[str, str], _Exclusions] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._titles: dict[str, str] = {}
        for value_set in sorted(value_sets, key=_size):
            self._titles[value_set.id] = value_set.title
            self._add(value_set)

    def holders(self, system: str, code: str) -> frozenset[str]:
        """Return the ids of the value sets that hold a code of a normalised system."""
        found = set(self._codes.get(system, {}).get(code, ()))
        found.update(self._by_prefix(system, code))
        return frozenset(name for name in found if not self._is_excluded(name, system, code))

    def label(self, system: str, code: str) -> str | None:
        """Return our short label: of the concept, else of the narrowest value set that holds it.

        Value sets were added smallest first, so the first one of the longest prefix is narrowest.
        """
        label = self._labels.get((system, code))
        if label is not None:
            return label
        held = self.holders(system, code)
        prefixes = self._prefixes.get(system, {})
        for length in range(len(code), 0, -1):
            names = [name for name in prefixes.get(code[:length], ()) if name in held]
            if names:
                return self._titles[names[0]]
        return None

    def _by_prefix(self, system: str, code: str) -> Iterable[str]:
        prefixes = self._prefixes.get(system)
        if prefixes:
            for length in range(1, len(code) + 1):
                yield from prefixes.get(code[:length], ())

    def _is_excluded(self, name: str, system: str, code: str) -> bool:
        exclusions = self._excluded.get((name, system))
        return exclusions is not None and exclusions.hold(system, code)

    def _add(self, value_set: ValueSet) -> None:
        compose = value_set.resource["compose"]
        for part in compose["include"]:
            self._include(value_set.id, normal_system(part["system"]) or part["system"], part)
        for part in compose.get("exclude", ()):
            self._exclude(value_set.id, normal_system(part["system"]) or part["system"], part)

    def _include(self, name: str, system: str, part: Mapping[str, Any]) -> None:
        for concept in part.get("concept", ()):
            code = normal_code(system, concept["code"])
            self._codes.setdefault(system, {}).setdefault(code, []).append(name)
            self._labels.setdefault((system, code), concept["display"])
        for prefix in _is_a(part):
            key = normal_code(system, prefix)
            self._prefixes.setdefault(system, {}).setdefault(key, []).append(name)

    def _exclude(self, name: str, system: str, part: Mapping[str, Any]) -> None:
        exclusions = self._excluded.setdefault((name, system), _Exclusions())
        exclusions.prefixes.update(normal_code(system, prefix) for prefix in _is_a(part))
        for concept in part.get("concept", ()):
            exclusions.prefixes.add(normal_code(system, concept["code"]))
        for one in part.get("filter", ()):
            if one["op"] == "regex":
                exclusions.patterns.append(re.compile(one["value"]))


def dotted(code: str) -> str:
    """Return an ICD-10-CM code with its dot: "S82101S" becomes "S82.101S"."""
    return code if len(code) <= 3 else f"{code[:3]}.{code[3:]}"


def read_value_sets() -> dict[str, ValueSet]:
    """Read every value set of the package, by id."""
    folder = files("cds_service.terminology").joinpath("value_sets")
    resources = (
        orjson.loads(entry.read_bytes())
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".json")
    )
    return {
        resource["id"]: ValueSet(resource["id"], resource["title"], resource["version"], resource)
        for resource in resources
    }


def _size(value_set: ValueSet) -> int:
    return len(value_set.resource["compose"]["include"])


def _is_a(part: Mapping[str, Any]) -> list[str]:
    return [one["value"] for one in part.get("filter", ()) if one["op"] == "is-a"]
