"""The measure catalogue: what is measured, where it is read from, and on which scale.

Every number is an exact fraction. A value is put on the measure's one canonical scale; when the
record does not say how it was written (a bare Oswestry score, a weight without unit) every value
it can mean is given, and whoever compares must find the same answer for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from typing import Any

import yaml

from cds_service.terminology.systems import normal_code, normal_system

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ANNOTATION = re.compile(r"\{[^{}]*\}")
PAST = Fraction(1, 1_000_000)
"""How far past a limit the values begin that it leaves out: less than anything measured."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number with where it comes from.

    `configured` means that no source gives it: a proposed default that waits for a clinician's
    sign-off.
    """

    id: str
    value: Fraction
    unit: str
    source: str | None
    configured: bool
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale values are compared on; its id names unit or range ("0-100", "t-score")."""

    id: str


@dataclass(frozen=True, slots=True)
class Form:
    """One way a value is written: canonical = written * factor + offset."""

    units: frozenset[str]
    low: Fraction
    high: Fraction
    factor: Fraction
    offset: Fraction

    def canonical(self, value: Fraction) -> Fraction | None:
        """Return the value on the canonical scale, None when it is outside the range."""
        return value * self.factor + self.offset if self.low <= value <= self.high else None


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One thing measured.

    `better` is "lower", "higher" or "none". `ideal` is the best value of the scale, which percent
    changes are measured against; T-scores have none, and their percent is taken on the raw sum,
    whose best value is `raw_ideal`. `mcid` and `mic` are names of parameters, `kind` is "number",
    "boolean" or "code" (the last two have no scale to convert to). `answers` are one site's answers
    that mean yes or no, by code or by words in lower case.
    """

    id: str
    title: str
    kind: str
    better: str
    scale: Scale
    forms: tuple[Form, ...]
    ideal: Fraction | None
    raw_ideal: Fraction | None
    mcid: str | None
    mic: str | None
    groups: frozenset[str]
    codes: tuple[tuple[str, str], ...]
    questionnaires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def percent_of_raw(self) -> bool:
        """Whether a percent change is only defined on the raw sum behind the score."""
        return self.raw_ideal is not None

    def canonical(self, value: Fraction, unit: str | None) -> tuple[Fraction, ...]:
        """Return every value on the canonical scale that a written value can mean.

        Empty when the unit is not one of the measure's or the value is outside its range. Without
        a unit every form counts that the value fits.
        """
        name = self._unit(unit)
        fitting = (form for form in self.forms if name is None or name in form.units)
        found = (form.canonical(value) for form in fitting)
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def beyond(self, limit: Fraction, unit: str | None, comparator: str) -> tuple[Fraction, ...]:
        """Return the ends, on the canonical scale, of what "< 15" can mean.

        Empty where changes of the measure are compared: a limit tells nothing of a change.
        """
        name = self._unit(unit)
        if self.better != "none":
            return ()
        ends = (
            form.canonical(end)
            for form in self.forms
            if name is None or name in form.units
            for end in _ends(form, limit, comparator)
        )
        return tuple(dict.fromkeys(end for end in ends if end is not None))

    def _unit(self, unit: str | None) -> str | None:
        """Return a unit as the forms name it; a UCUM annotation that none knows says nothing."""
        name = normal_unit(unit)
        if name is None or any(name in form.units for form in self.forms):
            return name
        return ANNOTATION.sub("", name).strip(" /.") or name

    def written(self, value: Fraction, unit: str) -> Fraction | None:
        """Return a canonical value in another unit of the measure, None when it has no such."""
        name = normal_unit(unit)
        for form in self.forms:
            if name in form.units:
                return (value - form.offset) / form.factor
        return None


def _ends(form: Form, limit: Fraction, comparator: str) -> tuple[Fraction, ...]:
    if not form.low <= limit <= form.high:
        return ()
    return {
        "<": (form.low, limit - PAST),
        "<=": (form.low, limit),
        ">": (limit + PAST, form.high),
        ">=": (limit, form.high),
    }.get(comparator, ())


class Catalogue:
    """All measures, with look-ups by code, by questionnaire item and by group."""

    def __init__(self, measures: Iterable[Measure], parameters: Mapping[str, Parameter]) -> None:
        self.measures = {measure.id: measure for measure in measures}
        self.parameters = dict(parameters)
        self.by_code: dict[tuple[str, str], list[Measure]] = {}
        self.by_item: dict[tuple[str, str], list[Measure]] = {}
        self.groups: dict[str, list[str]] = {}
        for measure in self.measures.values():
            self._index(measure)

    def add_code(self, system: str, code: str, measure: Measure) -> None:
        """Let a code stand for a measure, its values written as ever or in a way of their own."""
        canonical = normal_system(system) or system
        self.by_code.setdefault((canonical, normal_code(canonical, code)), []).append(measure)

    def add_item(self, canonical: str, link: str, measure: Measure) -> None:
        """Let an item of a questionnaire state a measure."""
        self.by_item.setdefault((normal_canonical(canonical), link), []).append(measure)

    def _index(self, measure: Measure) -> None:
        for code in measure.codes:
            self.by_code.setdefault(code, []).append(measure)
        for group in sorted(measure.groups):
            self.groups.setdefault(group, []).append(measure.id)
        for canonical, links in measure.questionnaires.items():
            for link in links:
                for name in {canonical, canonical.rsplit("/", 1)[-1]}:
                    self.by_item.setdefault((name, link), []).append(measure)


def normal_unit(unit: str | None) -> str | None:
    """Return a unit as the catalogue holds it: trimmed, lower case; None when there is none."""
    name = unit.strip().lower() if isinstance(unit, str) else ""
    return name or None


def normal_canonical(canonical: str) -> str:
    """Return a questionnaire's canonical without version and fragment, and with http."""
    name = canonical.partition("|")[0].partition("#")[0].rstrip("/")
    return f"http://loinc.org{name[17:]}" if name.startswith("https://loinc.org") else name


def read_catalogue() -> Catalogue:
    """Read the catalogue of the package."""
    path = files("cds_service.terminology").joinpath("measures.yaml")
    data = yaml.load(path.read_text(encoding="utf-8"), Loader)
    measures = (_measure(name, one) for name, one in data["measures"].items())
    return Catalogue(measures, parameters_of(data))


def _measure(name: str, data: Mapping[str, Any]) -> Measure:
    return Measure(
        id=name,
        title=data["title"],
        kind=data.get("kind", "number"),
        better=data["better"],
        scale=Scale(data.get("scale", data.get("kind", "none"))),
        forms=tuple(read_form(one) for one in data.get("forms", ())),
        ideal=_optional(data.get("ideal")),
        raw_ideal=_optional(data.get("raw-ideal")),
        mcid=data.get("mcid"),
        mic=data.get("mic"),
        groups=frozenset(data["groups"]),
        codes=tuple(_code(one) for one in data["codes"]),
        questionnaires={url: tuple(ids) for url, ids in data.get("questionnaires", {}).items()},
    )


def read_form(data: Mapping[str, Any]) -> Form:
    """Read one way a value is written, as the catalogue and site files give it."""
    return Form(
        units=frozenset(name for unit in data["units"] if (name := normal_unit(str(unit)))),
        low=Fraction(str(data["min"])),
        high=Fraction(str(data["max"])),
        factor=Fraction(str(data.get("factor", 1))),
        offset=Fraction(str(data.get("offset", 0))),
    )


def _code(written: str) -> tuple[str, str]:
    system, _, code = written.partition("|")
    canonical = normal_system(system) or system
    return canonical, normal_code(canonical, code)


def _optional(value: object) -> Fraction | None:
    return None if value is None else Fraction(str(value))


def parameters_of(data: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters of a file by name."""
    return {name: _parameter(name, entry) for name, entry in data.get("parameters", {}).items()}


def _parameter(name: str, data: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name,
        Fraction(str(data["value"])),
        data["unit"],
        data.get("source"),
        bool(data.get("configured")),
        data.get("note"),
    )
