"""What must hold of a site file before it is used; every problem names place and remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.local.dialect import key_of, plain
from cds_service.terminology import Terminology, promis
from cds_service.terminology.dialect import WORDS
from cds_service.terminology.measures import Form, Measure, normal_canonical, normal_unit, read_form
from cds_service.terminology.source import Path, Problem, Source
from cds_service.terminology.systems import LOINC, normal_system

PAGE = "see docs/site-file.md"
LONGEST = 160
FEW = 40
TARGETS = ("value-set", "measure", "means", "content", "plan-code", "program", "region")


@dataclass(frozen=True)
class Vocabulary:
    """What the rooms to the right can be told: names that policies ask for.

    `contents` of documents, `plan_codes` of goals and plans, `programs`, `phrases` (ids of lists),
    `forms` (linkIds by id of our form) and `payors` (value of payor and product, or None).
    """

    contents: frozenset[str] = frozenset()
    plan_codes: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()
    forms: Mapping[str, frozenset[str]] = field(default_factory=dict)
    payors: frozenset[tuple[str, str | None]] = frozenset()


def check(source: Source, vocabulary: Vocabulary) -> list[Problem]:
    """Return what is wrong with a site file; the deeper checks need a sound shape."""
    errors = sorted(_validator().iter_errors(source.data), key=lambda error: str(error.path))
    if errors:
        return [_shape_problem(source, error) for error in errors]
    checks = _Check(source, vocabulary)
    return [*checks.codes(), *checks.questionnaires(), *checks.others()]


@cache
def _validator() -> Draft202012Validator:
    path = files("cds_service.local") / "site.schema.json"
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def _shape_problem(source: Source, error: ValidationError) -> Problem:
    deepest = error
    while deepest.context and deepest.validator == "anyOf" and not _choice(deepest):
        deepest = max(deepest.context, key=lambda inner: len(inner.absolute_path))
    path: Path = tuple(deepest.absolute_path)
    where = ".".join(str(part) for part in path) or "the file"
    return source.problem(path, f"{where}: {_said(deepest)}", _remedy(deepest))


def _choice(error: ValidationError) -> bool:
    """Whether an error means that none, or too many, of several fields are given."""
    choices = _values(error)
    return bool(choices) and all("required" in one for one in choices)


def _values(error: ValidationError) -> list[Any]:
    return error.validator_value if isinstance(error.validator_value, list) else []


def _said(error: ValidationError) -> str:
    if _choice(error):
        given = error.instance if isinstance(error.instance, dict) else {}
        named = [name for one in _values(error) for name in one["required"] if name in given]
        return f"{' and '.join(named)} exclude each other" if named else "it lacks what it means"
    return error.message if len(error.message) < LONGEST else f"{error.message[: LONGEST - 3]}..."


def _remedy(error: ValidationError) -> str:
    rules = error.schema if isinstance(error.schema, Mapping) else {}
    if _choice(error):
        fields = [name for one in _values(error) for name in one["required"]]
        return f"write one of: {', '.join(fields)}"
    if error.validator == "additionalProperties":
        return f"use: {', '.join(rules.get('properties', {}))}"
    if error.validator == "unevaluatedProperties":
        return f"use: system, code, text, note, unit, scale, side, {', '.join(TARGETS)}"
    if error.validator in ("required", "dependentRequired"):
        return f"add it; {PAGE}"
    if error.validator == "enum":
        return "use: " + ", ".join(str(one) for one in _values(error))
    return str(rules.get("description") or PAGE)


class _Check:
    """Checks that a schema cannot make: names, units, things said twice."""

    def __init__(self, source: Source, vocabulary: Vocabulary) -> None:
        self.source = source
        self.data: Mapping[str, Any] = source.data
        self.known = vocabulary
        self.terminology = Terminology.load()

    def codes(self) -> Iterator[Problem]:
        """Check every mapping of codes or words."""
        seen: dict[tuple[str, str], int] = {}
        for index, entry in enumerate(self.data.get("codes", ())):
            path: Path = ("codes", index)
            for key in keys_of(entry):
                line = seen.setdefault(key, self.source.line(path))
                if line != self.source.line(path):
                    what = f"{key[1]!r} is mapped already in line {line}"
                    yield self.source.problem(path, what, "put all that it means into one table")
            yield from self._targets(path, entry)

    def _targets(self, path: Path, entry: Mapping[str, Any]) -> Iterator[Problem]:
        known: dict[str, tuple[str, frozenset[str]]] = {
            "value-set": ("value set", self.terminology.ids),
            "content": ("content of a document", self.known.contents),
            "plan-code": ("category of goals or plans", self.known.plan_codes),
            "program": ("program", self.known.programs),
            "region": ("region", self.terminology.region_names),
        }
        for name, (kind, allowed) in known.items():
            for value in listed(entry.get(name)):
                if value not in allowed:
                    yield self._unknown((*path, name), kind, value, allowed)
        yield from self._measure(path, entry)

    def _measure(self, path: Path, entry: Mapping[str, Any]) -> Iterator[Problem]:
        name = entry.get("measure")
        if name is None:
            return
        if name not in self.terminology.measures:
            ids = frozenset(self.terminology.measures)
            yield self._unknown((*path, "measure"), "measure", name, ids)
            return
        measure = self.terminology.measure(name)
        if "unit" in entry and "scale" not in entry:
            fitting = _forms_of(measure, entry["unit"])
            if len(fitting) != 1:
                what = "fits several scales of" if fitting else "is no unit of"
                units = ", ".join(sorted(_single_units(measure))) or "none; write a scale"
                said = f"unit {entry['unit']!r} {what} {name}"
                yield self.source.problem((*path, "unit"), said, f"use one of: {units}")
        if ("unit" in entry or "scale" in entry) and measure.kind != "number":
            remedy = "leave unit and scale out"
            yield self.source.problem(path, f"{name} is no number", remedy)
        if "scale" in entry and (problem := _scale_problem(entry["scale"])):
            remedy = "write min and max as written, and a factor above 0"
            yield self.source.problem((*path, "scale"), problem, remedy)

    def questionnaires(self) -> Iterator[Problem]:
        """Check every questionnaire and its items."""
        seen: dict[str, int] = {}
        for index, form in enumerate(self.data.get("questionnaires", ())):
            path: Path = ("questionnaires", index)
            line = seen.setdefault(normal_canonical(form["canonical"]), self.source.line(path))
            if line != self.source.line(path):
                what = f"{form['canonical']} is mapped already in line {line}"
                yield self.source.problem(path, what, "put all items into one table")
            yield from self._form(path, form)

    def _form(self, path: Path, form: Mapping[str, Any]) -> Iterator[Problem]:
        if "form" in form and form["form"] not in self.known.forms:
            names = frozenset(self.known.forms)
            yield self._unknown((*path, "form"), "form", form["form"], names)
            return
        links: set[str] = set()
        for index, item in enumerate(form["items"]):
            here: Path = (*path, "items", index)
            if item["link"] in links:
                what = f"linkId {item['link']!r} stands twice"
                yield self.source.problem(here, what, "map each item once")
            links.add(item["link"])
            if "item" in item:
                yield from self._of_form(here, item["item"], item.get("form") or form.get("form"))
            yield from self._item(here, item)

    def _of_form(self, path: Path, item: str, form: str | None) -> Iterator[Problem]:
        items = self.known.forms.get(form or "")
        if form is None:
            remedy = 'name our form, here or for all items: form = "..."'
            yield self.source.problem(path, "item without a form", remedy)
        elif items is None:
            yield self._unknown((*path, "form"), "form", form, frozenset(self.known.forms))
        elif item not in items:
            yield self._unknown((*path, "item"), f"item of {form}", item, items)

    def _item(self, path: Path, item: Mapping[str, Any]) -> Iterator[Problem]:
        if "means" in item and not _is_scored(item["means"]):
            what = f"{item['means']} is no item that is scored here"
            remedy = "write the LOINC code of a PROMIS-29 item, or map to a measure or item"
            yield self.source.problem((*path, "means"), what, remedy)
        yield from self._measure(path, item)
        yield from self._answers(path, item)

    def _answers(self, path: Path, item: Mapping[str, Any]) -> Iterator[Problem]:
        answers = item.get("answers")
        if answers is None:
            return
        measure = self.terminology.measures.get(item.get("measure", ""))
        if "means" in item or (measure and measure.kind != "boolean"):
            what = "answers are yes, no or unknown, and this is no such question"
            yield self.source.problem((*path, "answers"), what, "leave answers out")
        said = [plain(one) for word in answers for one in listed(answers[word])]
        for twice in sorted({one for one in said if said.count(one) > 1}):
            what = f"answer {twice!r} stands twice"
            yield self.source.problem((*path, "answers"), what, "let each answer mean one thing")

    def others(self) -> Iterator[Problem]:
        """Check phrase lists and products."""
        for index, entry in enumerate(self.data.get("phrases", ())):
            if entry["list"] not in self.known.phrases:
                path: Path = ("phrases", index, "list")
                yield self._unknown(path, "phrase list", entry["list"], self.known.phrases)
        for index, entry in enumerate(self.data.get("coverages", ())):
            yield from self._coverage(("coverages", index, "is"), entry["is"])

    def _coverage(self, path: Path, row: Mapping[str, str]) -> Iterator[Problem]:
        payors = frozenset(payor for payor, _ in self.known.payors)
        products = frozenset(p for payor, p in self.known.payors if payor == row["payor"] and p)
        if row["payor"] not in payors:
            yield self._unknown(path, "payor of the table of payers", row["payor"], payors)
        elif "product" in row and row["product"] not in products:
            yield self._unknown(path, f"product of {row['payor']}", row["product"], products)

    def _unknown(self, path: Path, kind: str, value: str, known: frozenset[str]) -> Problem:
        close = get_close_matches(value, sorted(known), 1)
        few = len(known) <= FEW
        shown = f"use one of: {', '.join(sorted(known))}" if few else "see docs/value-sets.md"
        remedy = f"write {close[0]}" if close else shown
        return self.source.problem(path, f"unknown {kind} {value!r}", remedy)


def listed(value: Any) -> list[str]:
    """Return a field that may be one text or a list of texts."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def keys_of(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the look-ups of a mapping: its codes, or its words."""
    codes = [key_of(entry.get("system"), code) for code in listed(entry.get("code"))]
    return codes + [(WORDS, plain(text)) for text in listed(entry.get("text"))]


def forms_for(measure: Measure, entry: Mapping[str, Any]) -> tuple[Form, ...]:
    """Return the ways values are written under a mapping: as it says, else as everywhere."""
    if "scale" in entry:
        scale = entry["scale"]
        units = listed(scale.get("units")) or listed(entry.get("unit"))
        known = units or [unit for form in measure.forms for unit in form.units]
        return (read_form({**scale, "units": known}),)
    return _forms_of(measure, entry["unit"]) if "unit" in entry else measure.forms


def _forms_of(measure: Measure, unit: str) -> tuple[Form, ...]:
    return tuple(form for form in measure.forms if normal_unit(unit) in form.units)


def _single_units(measure: Measure) -> set[str]:
    units = {unit for form in measure.forms for unit in form.units}
    return {unit for unit in units if len(_forms_of(measure, unit)) == 1}


def _scale_problem(scale: Mapping[str, Any]) -> str | None:
    low, high = Fraction(str(scale["min"])), Fraction(str(scale["max"]))
    if low >= high:
        return "min is not below max"
    return "factor is not above 0" if Fraction(str(scale.get("factor", 1))) <= 0 else None


def _is_scored(written: str) -> bool:
    system, _, code = written.partition("|")
    return normal_system(system) == LOINC and promis.is_item(code)
