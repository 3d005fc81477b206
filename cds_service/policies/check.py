"""What must hold of a policy file before it is compiled; every problem names place and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cds_service.evidence.context import LEAVES
from cds_service.evidence.quantities import QUANTITIES
from cds_service.policies.citations import astray, sources_of
from cds_service.policies.expressions import OPERATORS, Scope, parameters_in
from cds_service.policies.shape import (
    Checker,
    errors_of,
    leaf_schema,
    leaf_validator,
    remedy,
    said,
    schema,
    shape_problem,
    validator,
)
from cds_service.policies.units import unit_problems
from cds_service.terminology import Terminology
from cds_service.terminology.source import Path, Problem, Source

ITEM_LISTS = ("asks", "advises", "unsure", "not-covered-route")
VALUE_SETS = "#/$defs/value-sets"
JUDGE_SETS = ("in", "not-in")
MEMBERS = ("all", "any")


@dataclass(frozen=True)
class Names:
    """What a file may refer to beside its own: shared parameters and the terminology."""

    units: Mapping[str, str]
    terminology: Terminology


def check_file(source: Source, names: Names) -> list[Problem]:
    """Return what is wrong with a policy file; the deeper checks need a sound shape."""
    shape = [shape_problem(source, error) for error in errors_of(validator(), source.data)]
    if shape:
        return shape
    check = _Check(source, names)
    found = [*check.expressions(), *check.references(), *check.rows(), *check.cycles()]
    found += check.citations()
    return found or units_of(source, names)


def check_fragment(source: Source, names: Names) -> list[Problem]:
    """Return what is wrong with a file of shared rules: parameters, expressions and safety."""
    defs = schema("policy.schema.json")
    wanted = ("parameters", "expressions", "safety", "items", "sources")
    fragment = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: defs["properties"][name] for name in wanted},
        "$defs": defs["$defs"],
    }
    errors = errors_of(Checker.of(fragment), source.data)
    shape = [shape_problem(source, error) for error in errors]
    check = _Check(source, names)
    found = shape or [*check.expressions(), *check.citations()]
    return found or units_of(source, names)


def units_of(source: Source, names: Names) -> list[Problem]:
    """Return the numbers of a file whose unit does not fit where they stand."""
    own = {name: entry["unit"] for name, entry in source.data.get("parameters", {}).items()}
    return unit_problems(source, {**names.units, **own}, names.terminology)


class _AnyNumber(dict[str, Fraction]):
    """Stands in for parameters while only names are checked."""

    def __missing__(self, name: str) -> Fraction:
        return Fraction(1)


class _Check:
    """Checks that a schema cannot make: names, numbers, order of rows, cycles."""

    def __init__(self, source: Source, names: Names) -> None:
        self.source = source
        self.data = source.data
        self.names = names
        self.criteria = self.data.get("criteria", {})
        self.items = self.data.get("items", {})
        self.named = self.data.get("expressions", {})
        self.parameters = names.units.keys() | self.data.get("parameters", {}).keys()

    def expressions(self) -> Iterator[Problem]:
        """Check every expression: the word, its arguments, the names in them."""
        for path, node in _expressions(self.data):
            yield from self._expression(path, node)
        for path, value in _strings(self.data):
            if value.startswith("$") and value[1:] not in self.parameters:
                yield self.source.problem(
                    path, f"unknown parameter '{value}'", "define it under parameters:"
                )
        for path, value in _judged_sets(self.data):
            yield from self._value_set(path, value)

    def _expression(self, path: Path, node: Mapping[str, Any]) -> Iterator[Problem]:
        (word, argument), *_ = node.items()
        if word in OPERATORS:
            yield from self._operator(path, word, argument)
        elif word not in LEAVES:
            known = ", ".join(sorted((*OPERATORS, *LEAVES)))
            yield self.source.problem(path, f"unknown word '{word}'", f"use one of: {known}")
        else:
            yield from self._leaf((*path, word), word, argument)

    def _operator(self, path: Path, word: str, argument: Any) -> Iterator[Problem]:
        if word == "named" and argument not in self.named:
            yield self.source.problem(
                path, f"unknown expression '{argument}'", "define it under expressions:"
            )
        if word == "criterion":
            name = argument if isinstance(argument, str) else argument["id"]
            if name not in self.criteria:
                yield self.source.problem(
                    path, f"unknown criterion '{name}'", "name a criterion of this file"
                )

    def _leaf(self, path: Path, word: str, argument: Any) -> Iterator[Problem]:
        errors = errors_of(leaf_validator(word), argument)
        for error in errors:
            yield self.source.problem((*path, *error.absolute_path), said(error), remedy(error))
        if errors:
            return
        yield from self._made(path, word, argument)
        properties = leaf_schema(word).get("properties", {})
        for name, value in argument.items():
            if properties.get(name, {}).get("$ref") == VALUE_SETS:
                yield from self._value_set((*path, name), value)
        if word == "number":
            yield from self._quantities(path, argument)

    def _made(self, path: Path, word: str, argument: Any) -> Iterator[Problem]:
        """Check names that only the leaf knows: phrases, programs, measures."""
        try:
            LEAVES[word].make(Scope(_AnyNumber()).resolve(argument))
        except KeyError as unknown:
            yield self.source.problem(
                path, f"{word}: unknown name {unknown}", "see docs/policy-format.md for where it is"
            )

    def _quantities(self, path: Path, argument: Mapping[str, Any]) -> Iterator[Problem]:
        terms = [argument.get("of"), *argument.get("plus", ()), *argument.get("minus", ())]
        for term in terms:
            if isinstance(term, str) and not term.startswith("$") and term not in QUANTITIES:
                known = ", ".join(sorted(QUANTITIES))
                yield self.source.problem(path, f"unknown quantity '{term}'", f"use: {known}")

    def _value_set(self, path: Path, value: Any) -> Iterator[Problem]:
        for name in [value] if isinstance(value, str) else value or ():
            if isinstance(name, str) and not self.names.terminology.has(name):
                yield self.source.problem(
                    path, f"unknown value set '{name}'", "see docs/value-sets.md"
                )

    def citations(self) -> Iterator[Problem]:
        """Check that what rules cite lies in a section, where sections are given."""
        sources = sources_of(self.data)
        for kind in ("criteria", "safety"):
            for name, entry in self.data.get(kind, {}).items():
                for place in astray(entry["source"], sources):
                    what = f"no section of {place.source} holds {place.kind}{place.first}"
                    remedy = "mend the citation, or add the section under sections:"
                    yield self.source.problem((kind, name, "source"), what, remedy)

    def references(self) -> Iterator[Problem]:
        """Check that root, group members and items exist."""
        if self.data["root"] not in self.criteria:
            yield self.source.problem(("root",), "the root is no criterion", "name a criterion")
        for name, entry in self.criteria.items():
            for member in _members(entry):
                if member not in self.criteria:
                    yield self.source.problem(
                        ("criteria", name), f"unknown criterion '{member}'", "add it or drop it"
                    )
            if "documented" in entry and name not in self.items:
                yield self.source.problem(
                    ("criteria", name), f"no item '{name}' to ask for", "add it under items:"
                )
        for path, word, ids in _lists(self.data):
            if word in ITEM_LISTS:
                yield from self._known_items(path, ids)
        yield from self._targets()

    def _targets(self) -> Iterator[Problem]:
        for index, entry in enumerate(self.data.get("targets", ())):
            path = ("targets", index)
            if entry["rule"] not in self.criteria:
                what = f"unknown criterion '{entry['rule']}'"
                yield self.source.problem(path, what, "name a criterion of this file")
            yield from self._made(path, "progress", {"of": entry["of"], "better-by": "any"})

    def _known_items(self, path: Path, ids: Sequence[str]) -> Iterator[Problem]:
        for name in ids:
            if name not in self.items:
                yield self.source.problem(path, f"unknown item '{name}'", "add it under items:")

    def rows(self) -> Iterator[Problem]:
        """Check that a decision ends with its only else."""
        for name, entry in self.criteria.items():
            rows = entry.get("decide", ())
            places = [index for index, row in enumerate(rows) if "else" in row]
            if rows and places != [len(rows) - 1]:
                yield self.source.problem(
                    ("criteria", name, "decide"),
                    "a decision needs exactly one else, as its last row",
                    "end it with `- else: unknown`",
                )

    def cycles(self) -> Iterator[Problem]:
        """Check that no criterion depends on itself, also through safety or expressions."""
        graph = _dependencies(self.data)
        for name in self.criteria:
            loop = _loop(name, graph)
            if loop:
                yield self.source.problem(
                    ("criteria", name),
                    f"cyclic reference: {' -> '.join(loop)}",
                    "let one of them stand on evidence alone",
                )
                return


def _members(entry: Mapping[str, Any]) -> Sequence[str]:
    if "at-least" in entry:
        members: Sequence[str] = entry["at-least"]["of"]
        return members
    return entry.get("all") or entry.get("any") or ()


def _expressions(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every expression of a file, also those inside others."""
    for path, node in _roots(data):
        yield from _below(path, node)


def _below(path: Path, node: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield path, node
    (word, argument), *_ = node.items()
    if word in MEMBERS:
        for index, inner in enumerate(argument):
            yield from _below((*path, word, index), inner)
    elif word == "not":
        yield from _below((*path, word), argument)
    elif word == "at-least":
        for index, inner in enumerate(argument["of"]):
            yield from _below((*path, word, "of", index), inner)


def _roots(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for name, node in data.get("expressions", {}).items():
        yield ("expressions", name), node
    for name, entry in data.get("criteria", {}).items():
        for word in ("applies", "documented", "blocking"):
            if word in entry:
                yield ("criteria", name, word), entry[word]
        for index, row in enumerate(entry.get("decide", ())):
            if "when" in row:
                yield ("criteria", name, "decide", index, "when"), row["when"]
    yield from _prior_auth_roots(data)
    yield from _safety_roots(data)


def _prior_auth_roots(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    stated = data.get("prior-auth")
    rows = stated["decide"] if isinstance(stated, Mapping) else ()
    for index, row in enumerate(rows):
        if "when" in row:
            yield ("prior-auth", "decide", index, "when"), row["when"]


def _safety_roots(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for name, entry in data.get("safety", {}).items():
        if "applies" in entry:
            yield ("safety", name, "applies"), entry["applies"]
        for index, piece in enumerate(entry.get("evidence", ())):
            for word in ("is", "when"):
                if word in piece:
                    yield ("safety", name, "evidence", index, word), piece[word]
        for index, row in enumerate(entry.get("judge", ())):
            if "when" in row.get("if", {}):
                yield ("safety", name, "judge", index, "if", "when"), row["if"]["when"]


def _judged_sets(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, entry in data.get("safety", {}).items():
        if "addressed-by" in entry:
            yield ("safety", name, "addressed-by"), entry["addressed-by"]
        for index, row in enumerate(entry.get("judge", ())):
            for word in JUDGE_SETS:
                if word in row.get("if", {}):
                    yield ("safety", name, "judge", index, "if", word), row["if"][word]


def _strings(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _strings(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _strings(value, (*path, index))


def _lists(node: Any, path: Path = ()) -> Iterator[tuple[Path, str, Sequence[str]]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if isinstance(value, list) and key in ITEM_LISTS:
                yield (*path, key), key, value
            yield from _lists(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _lists(value, (*path, index))


def _dependencies(data: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return which names each criterion, expression and the safety list depend on."""
    graph: dict[str, set[str]] = {"(safety)": set()}
    for name, entry in data.get("criteria", {}).items():
        graph[name] = {*_members(entry), *_asked(entry)}
    for name, node in data.get("expressions", {}).items():
        graph[f"expression {name}"] = set(_asked(node))
    for entry in data.get("safety", {}).values():
        graph["(safety)"] |= set(
            _asked([entry.get(word) for word in ("applies", "evidence", "judge")])
        )
    return graph


def _asked(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for word, argument in node.items():
            if word == "criterion" and isinstance(argument, str | Mapping):
                yield argument if isinstance(argument, str) else argument.get("id", "")
            elif word == "named":
                yield f"expression {argument}"
            elif word == "open-finding":
                yield "(safety)"
            else:
                yield from _asked(argument)
    elif isinstance(node, list):
        for inner in node:
            yield from _asked(inner)


def _loop(start: str, graph: Mapping[str, set[str]]) -> list[str]:
    """Return a path from `start` back to itself, empty when there is none."""
    waiting = [[start]]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        for following in sorted(graph.get(path[-1], ())):
            if following == start:
                return [*path, start]
            if following not in seen:
                seen.add(following)
                waiting.append([*path, following])
    return []


def unused_parameters(source: Source) -> list[Problem]:
    """Return parameters that nothing uses: a number nobody reads is a rule nobody kept."""
    used = set(parameters_in(source.data, {}))
    used |= {
        word[2:-1]
        for _, text in _strings(source.data)
        for word in text.split()
        if word.startswith("{$")
    }
    return [
        source.problem(("parameters", name), f"parameter '{name}' is not used", "use or drop it")
        for name in source.data.get("parameters", {})
        if name not in used
    ]
