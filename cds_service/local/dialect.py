"""A site's own codes, words and questionnaires as look-ups, made once from its checked file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from cds_service.terminology.dialect import BARE, WORDS, Coding, MappedForm
from cds_service.terminology.measures import Catalogue, normal_canonical
from cds_service.terminology.regions import Place
from cds_service.terminology.systems import normal_code, normal_system
from cds_service.terminology.terminology import Terminology
from cds_service.terminology.value_sets import ValueSet

_REMEMBERED = 65536
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code or text of the site stands for, as codings, and where the file says so."""

    codings: tuple[Coding, ...]
    via: str


@dataclass(frozen=True, slots=True)
class Route:
    """A payor (by name or identifier) and product that are a row of the table of payers.

    `is_payor` and `is_product` are the values of that row; a product of None is any.
    """

    name: str | None
    identifier: tuple[str, str] | None
    product: str | None
    is_payor: str
    is_product: str | None
    line: int
    via: str


@dataclass(frozen=True)
class Site:
    """What one site codes in its own way.

    `value_sets`, `catalogue` and `places` are ours with its codes in them; `search` names codes
    that the queries of each key also ask for, `measured` the codes of Observations with the groups
    of what they measure.
    `items` gives what an item of a questionnaire (canonical, linkId) stands for.
    """

    name: str
    meanings: Mapping[Key, Meaning]
    items: Mapping[Key, Meaning]
    mapped: Mapping[str, tuple[MappedForm, ...]]
    phrases: Mapping[str, tuple[str, ...]]
    search: Mapping[str, tuple[str, ...]]
    measured: tuple[tuple[str, frozenset[str]], ...]
    routes: tuple[Route, ...]
    value_sets: Mapping[str, ValueSet] = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    places: Mapping[Coding, Place] = field(repr=False)

    @property
    def told(self) -> str:
        """What is in it, in numbers."""
        parts = {
            "codes and words": len(self.meanings),
            "items of questionnaires": len(self.items)
            + sum(len(form.items) for forms in self.mapped.values() for form in forms),
            "phrases": sum(map(len, self.phrases.values())),
            "products": len(self.routes),
        }
        return ", ".join(f"{count} {kind}" for kind, count in parts.items())

    @cached_property
    def terminology(self) -> Terminology:
        """The terminology of the package, with the codes of the site."""
        return Terminology(self.value_sets, catalogue=self.catalogue, places=self.places, site=self)

    def meant(self, codings: Sequence[Coding], words: Iterable[str]) -> list[Coding]:
        """Return the codings, and after them what they and the words stand for."""
        found = list(codings)
        for meaning in self._meanings(codings, words):
            found += meaning.codings
        return found

    def via(self, codings: Iterable[Coding], words: Iterable[str]) -> str | None:
        """Say which mappings the codings and words go through; None when through none."""
        return "; ".join(dict.fromkeys(one.via for one in self._meanings(codings, words))) or None

    def forms(self, questionnaire: str) -> Sequence[MappedForm]:
        """Return our forms whose items a questionnaire asks, by its canonical."""
        return self.mapped.get(normal_canonical(questionnaire), ())

    def item(self, questionnaire: str, link: str) -> str:
        """Return the linkId by which we know an item: the code it stands for, else its own."""
        known = self.items.get((normal_canonical(questionnaire), link))
        return known.codings[0][1] if known and known.codings else link

    def via_item(self, questionnaire: str, link: str) -> str | None:
        """Say which mapping an item's answer goes through; None when through none."""
        known = self.items.get((normal_canonical(questionnaire), link))
        return known.via if known else None

    def also_read(self, keys: Sequence[str]) -> Sequence[str]:
        """Return query keys, with the one that brings forms where forms state measures."""
        measured = self.items and ("measures" in keys or "vitals" in keys)
        return (*keys, "responses") if measured and "responses" not in keys else keys

    def _meanings(self, codings: Iterable[Coding], words: Iterable[str]) -> Iterator[Meaning]:
        for system, code in codings:
            if meaning := self._coded(system, code):
                yield meaning
        if self._reads_words:
            for text in words:
                if meaning := self.meanings.get((WORDS, plain(text))):
                    yield meaning

    @cached_property
    def _coded(self) -> Callable[[str | None, str], Meaning | None]:
        return lru_cache(_REMEMBERED)(self._look)

    def _look(self, system: str | None, code: str) -> Meaning | None:
        return self.meanings.get(key_of(system, code))

    @cached_property
    def _reads_words(self) -> bool:
        return any(system == WORDS for system, _ in self.meanings)


def key_of(system: str | None, code: str) -> Key:
    """Return a code as the look-ups hold it."""
    canonical = normal_system(system) or BARE
    return canonical, normal_code(canonical, code)


def plain(text: str) -> str:
    """Return words as they are compared: in lower case, each space one."""
    return " ".join(text.casefold().split())
