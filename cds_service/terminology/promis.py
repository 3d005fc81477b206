"""PROMIS-29 scores from single answers: raw sums and T-scores by the published tables.

A domain needs all of its items; a sum with an item missing has no T-score. Which version of
physical function applies follows from the social items beside it, since its own items are the
same in both; without them the newest is taken. Version 1 social satisfaction has no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml
from msgspec import Struct

from cds_service.terminology.measures import Loader

LOWEST_SUM = 4
WORST_PLUS_BEST = 6
ORDINAL = ("ordinalValue", "itemWeight")


class Score(Struct, frozen=True):
    """The score of one domain.

    `measure` is the id in the measure catalogue, `raw` the sum of the four items (4 to 20), `t`
    the T-score, `se` its standard error where the table gives one, `version` that of the table.
    """

    measure: str
    raw: Fraction
    t: Fraction
    se: Fraction | None
    version: str


@dataclass(frozen=True, slots=True)
class _Item:
    codes: Mapping[str, int]
    words: Mapping[str, int]
    reverse: bool

    def score(self, said: int) -> int:
        return WORST_PLUS_BEST - said if self.reverse else said


@dataclass(frozen=True, slots=True)
class _Domain:
    measure: str
    items: Mapping[str, _Item]
    tables: Mapping[str, Mapping[str, list[Fraction]]]

    def scored(self, answers: Mapping[str, Any]) -> dict[str, int]:
        found = {code: _value(item, answers.get(code)) for code, item in self.items.items()}
        return {code: value for code, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Tables:
    domains: tuple[_Domain, ...]
    versions: Mapping[str, frozenset[str]]
    newest: str
    items: frozenset[str]


def is_item(code: str) -> bool:
    """Tell whether a LOINC code is an item of a PROMIS-29 domain that is scored by a sum."""
    return code in _tables().items


def any_item(codes: Iterable[str]) -> bool:
    """Tell whether any of the codes is such an item."""
    return not _tables().items.isdisjoint(codes)


def items_among(codings: Iterable[tuple[str | None, str]]) -> list[str]:
    """Return the codes among (system, code) pairs that are such items."""
    known = _tables().items
    return [code for _, code in codings if code in known]


def says_something(code: str, answer: Mapping[str, Any]) -> bool:
    """Tell whether an answer to an item can be scored, as `score` takes both."""
    held = (domain.items[code] for domain in _tables().domains if code in domain.items)
    return any(_value(item, answer) is not None for item in held)


def items() -> tuple[str, ...]:
    """Return the LOINC codes of the items of PROMIS-29 domains that are scored by a sum."""
    return tuple(code for domain in _tables().domains for code in domain.items)


def score(answers: Mapping[str, Any]) -> tuple[Score, ...]:
    """Return the scores of all domains that are complete.

    `answers` maps an item's LOINC code to its answer: a QuestionnaireResponse answer or an
    Observation as JSON (valueCoding, valueCodeableConcept, valueString, or a number from 1 to 5
    for items that are not reversed), or the LOINC answer code itself.
    """
    return tuple(_scores(answers))


def missing(answers: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the domains begun and not complete, with the item codes that have no answer.

    A complete domain without a table is named with no items: it cannot be scored at all.
    """
    known = {score.measure for score in _scores(answers)}
    found: dict[str, tuple[str, ...]] = {}
    for domain in _tables().domains:
        answered = domain.scored(answers)
        if answered and domain.measure not in known:
            found[domain.measure] = tuple(code for code in domain.items if code not in answered)
    return found


def _scores(answers: Mapping[str, Any]) -> Iterator[Score]:
    form = _version(answers)
    for domain in _tables().domains:
        answered = domain.scored(answers)
        if len(answered) == len(domain.items) and domain.tables:
            yield _score(domain, sum(answered.values()), form)


def _score(domain: _Domain, raw: int, form: str) -> Score:
    version = form if form in domain.tables else next(iter(domain.tables))
    table = domain.tables[version]
    place = raw - LOWEST_SUM
    se = table["se"][place] if "se" in table else None
    return Score(domain.measure, Fraction(raw), table["t"][place], se, version)


def _version(answers: Mapping[str, Any]) -> str:
    tables = _tables()
    said = (version for version, items in tables.versions.items() if items & answers.keys())
    return next(said, tables.newest)


def _value(item: _Item, answer: Any) -> int | None:
    if isinstance(answer, str):
        said = item.codes.get(answer) or item.words.get(_letters(answer))
        return item.score(said) if said else None
    if not isinstance(answer, dict):
        return None
    for coding in _codings(answer):
        said = _coded(item, coding)
        if said is not None:
            return item.score(said)
    return _numbered(item, answer)


def _coded(item: _Item, coding: Mapping[str, Any]) -> int | None:
    code, display = coding.get("code"), coding.get("display")
    found = item.codes.get(code) if isinstance(code, str) else None
    if found is None and isinstance(display, str):
        found = item.words.get(_letters(display))
    return found


def _codings(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what is coded or said, most reliable first."""
    concept = answer.get("valueCodeableConcept")
    concept = concept if isinstance(concept, dict) else {}
    listed = concept.get("coding")
    for coding in [answer.get("valueCoding"), *(listed if isinstance(listed, list) else [])]:
        if isinstance(coding, dict):
            yield coding
    for words in (concept.get("text"), answer.get("valueString")):
        if isinstance(words, str):
            yield {"display": words}


def _numbered(item: _Item, answer: Mapping[str, Any]) -> int | None:
    """Read a plain number, unless the item is reversed: nothing tells whether the number is."""
    quantity = answer.get("valueQuantity")
    plain = [answer.get("valueInteger"), answer.get("valueDecimal")]
    if isinstance(quantity, dict):
        plain.append(quantity.get("value"))
    plain += list(_ordinals(answer))
    for one in plain:
        if isinstance(one, bool) or not isinstance(one, int | float) or item.reverse:
            continue
        if one in item.codes.values():
            return int(one)
    return None


def _ordinals(answer: Mapping[str, Any]) -> Iterator[Any]:
    for coding in _codings(answer):
        listed = coding.get("extension")
        for extension in listed if isinstance(listed, list) else ():
            if isinstance(extension, dict) and str(extension.get("url")).endswith(ORDINAL):
                yield extension.get("valueDecimal")


def _letters(words: str) -> str:
    return re.sub("[^a-z]", "", words.lower())


@lru_cache(1)
def _tables() -> _Tables:
    path = files("cds_service.terminology").joinpath("promis.yaml")
    data = yaml.load(path.read_text(encoding="utf-8"), Loader)
    domains = tuple(_domain(name, one, data["answers"]) for name, one in data["domains"].items())
    versions = {name: frozenset(items) for name, items in data["versions"].items()}
    items = frozenset(code for domain in domains for code in domain.items)
    return _Tables(domains, versions, data["newest"], items)


def _domain(name: str, data: Mapping[str, Any], answers: Mapping[str, Any]) -> _Domain:
    items = {
        code: _Item(
            answers[one["answers"]]["codes"],
            answers[one["answers"]]["words"],
            bool(one.get("reverse")),
        )
        for code, one in data["items"].items()
    }
    tables = {version: _table(one) for version, one in data["tables"].items()}
    return _Domain(name, items, tables)


def _table(data: Mapping[str, Iterable[str]]) -> dict[str, list[Fraction]]:
    return {name: [Fraction(one) for one in values] for name, values in data.items()}
