"""From a site file to look-ups: read, check, compile; nothing of it is left to a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cds_service.local.check import Vocabulary, check, forms_for, keys_of, listed
from cds_service.local.dialect import Key, Meaning, Route, Site, plain
from cds_service.local.source import SiteError, parse
from cds_service.terminology import MappedForm, MappedItem, Measure, Terminology, promis
from cds_service.terminology.dialect import BARE, WORDS
from cds_service.terminology.measures import normal_canonical, read_catalogue
from cds_service.terminology.regions import Place
from cds_service.terminology.source import Problem, Source
from cds_service.terminology.systems import LOINC, normal_system
from cds_service.terminology.value_sets import read_value_sets

BASE = "https://massage-cds.example.org/fhir/CodeSystem"
OWN_SYSTEMS = {
    "content": f"{BASE}/document-content",
    "plan-code": f"{BASE}/plan-codes",
    "program": f"{BASE}/programs",
}
"""Code systems of ours that a field of a mapping names codes of."""


def read_site(path: Path, vocabulary: Vocabulary) -> Site:
    """Return the look-ups of a site file.

    Raises SiteError, which names every reason with file, line and remedy, when it cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        remedy = "name a TOML or YAML file in UTF-8"
        raise SiteError([Problem(str(path), 1, "cannot be read", remedy)]) from None
    return compile_site(parse(str(path), text), vocabulary)


def compile_site(source: Source, vocabulary: Vocabulary) -> Site:
    """Return the look-ups of a parsed site file; raise SiteError when it is not sound."""
    problems = check(source, vocabulary)
    if problems:
        raise SiteError(problems)
    return _Compiler(source).site()


class _Compiler:
    """Turns one sound file into look-ups."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data: Mapping[str, Any] = source.data
        self.terminology = Terminology.load()
        self.catalogue = read_catalogue()
        self.value_sets = read_value_sets()
        self.places: dict[tuple[str | None, str], Place] = {}
        self.meanings: dict[Key, Meaning] = {}
        self.items: dict[Key, Meaning] = {}
        self.measured: list[tuple[str, frozenset[str]]] = []

    def site(self) -> Site:
        """Return everything compiled."""
        for index, entry in enumerate(self.data.get("codes", ())):
            self._entry(entry, self.source.line(("codes", index)))
        forms = dict(self._forms())
        return Site(
            name=self.data["site"],
            meanings=self.meanings,
            items=self.items,
            mapped=forms,
            phrases=self._phrases(),
            search={key: tuple(codes) for key, codes in self.data.get("search", {}).items()},
            measured=tuple(dict.fromkeys(self.measured)),
            routes=tuple(self._routes()),
            value_sets=self.value_sets,
            catalogue=self.catalogue,
            places=self.places,
        )

    def _entry(self, entry: Mapping[str, Any], line: int) -> None:
        own = _own_codes(entry)
        for system, code in keys_of(entry):
            coding = (system, code)
            self._include(coding, listed(entry.get("value-set")))
            self._measure(coding, entry)
            if "region" in entry:
                self.places[coding] = frozenset(listed(entry["region"])), entry.get("side")
            said = f"words {code!r}" if system == WORDS else f"local code {code}"
            natural = system in (BARE, WORDS)
            codings = (*own, coding) if natural else own
            self.meanings[coding] = Meaning(codings, _via(line, said, _target(entry)))
            if system != WORDS:
                self.measured += [(code, groups) for groups in self._measured_groups(entry)]

    def _include(self, coding: tuple[str, str], names: Iterable[str]) -> None:
        """Put a code of the site into value sets, where their look-up finds it like any other."""
        system, code = coding
        part = {"system": system, "concept": [{"code": code, "display": code}]}
        for name in names:
            known = self.value_sets[name]
            compose = known.resource["compose"]
            grown = {**compose, "include": [*compose["include"], part]}
            self.value_sets[name] = replace(known, resource={**known.resource, "compose": grown})

    def _measure(self, coding: tuple[str, str], entry: Mapping[str, Any]) -> None:
        if "measure" in entry:
            self.catalogue.add_code(*coding, self._written_so(entry))

    def _written_so(self, entry: Mapping[str, Any]) -> Measure:
        """Return a measure whose values are written as the mapping says."""
        measure = self.catalogue.measures[entry["measure"]]
        answers = _words_of(entry.get("answers")) or {}
        if not ("unit" in entry or "scale" in entry or answers):
            return measure
        return replace(measure, forms=forms_for(measure, entry), answers=answers)

    def _measured_groups(self, entry: Mapping[str, Any]) -> Iterator[frozenset[str]]:
        """Yield the groups of what is measured under a code, so that searches ask for it."""
        if "measure" in entry:
            yield self.catalogue.measures[entry["measure"]].groups
        for system, code in _codes(entry.get("means")):
            yield from (measure.groups for measure in self.terminology.measure_of(system, code))
            if normal_system(system) == LOINC and promis.is_item(code):
                yield frozenset()

    def _forms(self) -> Iterator[tuple[str, tuple[MappedForm, ...]]]:
        for index, entry in enumerate(self.data.get("questionnaires", ())):
            canonical = normal_canonical(entry["canonical"])
            asked: dict[str, dict[str, MappedItem]] = {}
            for place, item in enumerate(entry["items"]):
                line = self.source.line(("questionnaires", index, "items", place))
                if "item" in item:
                    via = _via(line, f"item {item['link']}", f"item {item['item']}")
                    name = item.get("form") or entry["form"]
                    known = MappedItem(item["item"], _words_of(item.get("answers")), via)
                    asked.setdefault(name, {})[item["link"]] = known
                else:
                    self._item(canonical, item, line)
            whole = entry.get("form") if entry.get("complete") else None
            found = (MappedForm(name, name == whole, items) for name, items in asked.items())
            yield canonical, tuple(found)

    def _item(self, canonical: str, item: Mapping[str, Any], line: int) -> None:
        link = item["link"]
        if "measure" in item:
            self.catalogue.add_item(canonical, link, self._written_so(item))
        via = _via(line, f"item {link}", _target(item))
        self.items[canonical, link] = Meaning(tuple(_codes(item.get("means"))), via)

    def _phrases(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for entry in self.data.get("phrases", ()):
            said = (phrase.lower() for phrase in entry["phrases"])
            found[entry["list"]] = (*found.get(entry["list"], ()), *said)
        return found

    def _routes(self) -> Iterator[Route]:
        for index, entry in enumerate(self.data.get("coverages", ())):
            line = self.source.line(("coverages", index))
            payor, product = entry["payor"], entry.get("product")
            name = payor if isinstance(payor, str) else None
            identifier = None if isinstance(payor, str) else (payor["system"], payor["value"])
            row = entry["is"]
            target = " ".join(["payor", row["payor"], *listed(row.get("product"))])
            said = f"product {product}" if product else f"payor {name or payor['value']}"
            yield Route(
                name,
                identifier,
                product,
                row["payor"],
                row.get("product"),
                line,
                _via(line, said, target),
            )


def _own_codes(entry: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the codes, standard ones or ours, that a mapping stands for."""
    named = [
        (system, code) for name, system in OWN_SYSTEMS.items() for code in listed(entry.get(name))
    ]
    return (*_codes(entry.get("means")), *named)


def _codes(written: Any) -> Iterator[tuple[str, str]]:
    for one in listed(written):
        system, _, code = one.partition("|")
        yield system, code


def _words_of(answers: Mapping[str, Any] | None) -> dict[str, str] | None:
    if answers is None:
        return None
    return {plain(one): word for word in answers for one in listed(answers[word])}


def _via(line: int, said: str, target: str) -> str:
    return f"site file line {line}: {said} -> {target}"


def _target(entry: Mapping[str, Any]) -> str:
    names = {"value-set": "value set", "content": "content", "plan-code": "plan code"}
    kinds = ("value-set", "measure", "means", "content", "plan-code", "program", "region")
    parts = [
        f"{names.get(kind, kind) if kind != 'means' else 'code'} {', '.join(listed(entry[kind]))}"
        for kind in kinds
        if kind in entry
    ]
    return ", ".join(parts)
