"""Body regions and sides: what codes and words say of the place.

A place is a set of regions, so that two places meet where the sets overlap and the sides agree. A
code that is understood comes before words; words still tell the side when the code has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from cds_service.terminology.measures import Loader
from cds_service.terminology.systems import ICD10CM, SNOMED, normal_code, normal_system

BOTH = "both"
_WORD = re.compile("[a-z]+")
Place = tuple[frozenset[str], str | None]


@dataclass(frozen=True, slots=True)
class _Rule:
    regions: frozenset[str]
    at: int | None = None
    digits: Mapping[str, str] | None = None
    side: str | None = None

    def side_of(self, code: str) -> str | None:
        if self.at is None or self.digits is None or len(code) <= self.at:
            return self.side
        return self.digits.get(code[self.at])


class Regions:
    """The region tables, compiled; `places` are those of a site's own codes."""

    def __init__(
        self,
        data: Mapping[str, Any],
        places: Mapping[tuple[str | None, str], Place] | None = None,
    ) -> None:
        self._places = places or {}
        self._areas = {name: frozenset(regions) for name, regions in data["areas"].items()}
        self.names = frozenset(data["regions"])
        self._snomed = {code: self._area(one) for code, one in data["snomed"].items()}
        self._snomed_sides: Mapping[str, str] = data["snomed-sides"]
        self._digits: Mapping[str, Mapping[str, str]] = data["sides"]
        self._icd = {normal_code(ICD10CM, c): self._rule(one) for c, one in data["icd"].items()}
        for limbs in (data["joints"], data["bones"]):
            self._add_limbs(limbs)
        self._add_levels(data["levels"])
        self._words = {tuple(w.split()): self._area(one) for w, one in data["words"].items()}
        self._side_words: Mapping[str, str] = data["side-words"]
        self._longest = _longest(self._words)

    def of(self, codings: Iterable[tuple[str | None, str]], text: str | None) -> Place:
        """Return regions and side ("left", "right"; None when open or both)."""
        coded, sides = self._of_codes(codings)
        told = isinstance(text, str) and not (coded and sides)
        words = _WORD.findall(text.lower()) if text and told else []
        found = sides or {self._side_words[word] for word in words if word in self._side_words}
        side = next(iter(found)) if len(found) == 1 and BOTH not in found else None
        return coded or frozenset().union(*self._phrases(words)), side

    def _of_codes(
        self, codings: Iterable[tuple[str | None, str]]
    ) -> tuple[frozenset[str], set[str]]:
        regions: frozenset[str] = frozenset()
        sides: set[str] = set()
        for system, code in codings:
            here, side = self._of_code(normal_system(system), code)
            regions |= here
            sides |= {side} if side else set()
        return regions, sides

    def _of_code(self, system: str | None, code: str) -> Place:
        if system == SNOMED and isinstance(code, str):
            return self._snomed.get(code, frozenset()), self._snomed_sides.get(code)
        if system == ICD10CM and isinstance(code, str):
            return self._of_icd(normal_code(ICD10CM, code))
        return self._places.get((system, code), (frozenset(), None))

    def _of_icd(self, code: str) -> Place:
        for length in range(len(code), 1, -1):
            rule = self._icd.get(code[:length])
            if rule:
                return rule.regions, rule.side_of(code)
        return frozenset(), None

    def _phrases(self, words: list[str]) -> Iterator[frozenset[str]]:
        """Yield the regions of the longest phrases known, from left to right."""
        place = 0
        while place < len(words):
            for length in range(self._longest.get(words[place], 0), 0, -1):
                found = self._words.get(tuple(words[place : place + length]))
                if found:
                    yield found
                    break
            else:
                length = 1
            place += length

    def _area(self, said: str | list[str]) -> frozenset[str]:
        names = [said] if isinstance(said, str) else said
        return frozenset().union(*(self._areas.get(name, frozenset({name})) for name in names))

    def _rule(self, said: Any) -> _Rule:
        if not isinstance(said, Mapping):
            return _Rule(self._area(said))
        side = said.get("side")
        at, digits = (side["at"], self._digits[side["of"]]) if side else (None, None)
        return _Rule(self._area(said["regions"]), at, digits, said.get("is"))

    def _add_limbs(self, data: Mapping[str, Any]) -> None:
        digits = self._digits[data["side"]["of"]]
        excepted = {normal_code(ICD10CM, one) for one in data["except"]}
        prefixes = set(_with_digit(data["categories"], data["at"])) - excepted
        for prefix in prefixes:
            for digit, region in data["digits"].items():
                rule = _Rule(self._area(region), data["side"]["at"], digits)
                self._icd.setdefault(prefix + digit, rule)

    def _add_levels(self, data: Mapping[str, Any]) -> None:
        for category, at in data["at"].items():
            for prefix in _with_digit([category], at):
                for digit, region in data["digits"].items():
                    self._icd.setdefault(prefix + digit, _Rule(self._area(region)))


def _longest(phrases: Iterable[tuple[str, ...]]) -> Mapping[str, int]:
    """Return the number of words in the longest phrase that begins with each word."""
    found: dict[str, int] = {}
    for phrase in phrases:
        found[phrase[0]] = max(len(phrase), found.get(phrase[0], 0))
    return found


def _with_digit(categories: Iterable[str], at: int) -> Iterator[str]:
    """Yield every prefix of a length that begins with one of the categories."""
    for category in categories:
        name = normal_code(ICD10CM, category)
        if len(name) == at:
            yield name
        else:
            yield from (f"{name}{digit}" for digit in "0123456789A")


def read_regions(places: Mapping[tuple[str | None, str], Place] | None = None) -> Regions:
    """Read the region tables of the package, with the places of a site's own codes."""
    path = files("cds_service.terminology").joinpath("regions.yaml")
    return Regions(yaml.load(path.read_text(encoding="utf-8"), Loader), places)
