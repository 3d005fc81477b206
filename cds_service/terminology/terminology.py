"""`Terminology`: everything the service knows of codes, measures, regions and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property, lru_cache

from cds_service.terminology.dialect import Coding, Dialect
from cds_service.terminology.measures import (
    Catalogue,
    Measure,
    Parameter,
    normal_canonical,
    read_catalogue,
)
from cds_service.terminology.regions import Place, Regions, read_regions
from cds_service.terminology.systems import LOINC, normal, normal_code, normal_system
from cds_service.terminology.value_sets import Index, ValueSet, read_value_sets

_REMEMBERED_CODES = 65536


class Terminology:
    """Codes and their meaning; made once by `Terminology.load()` and shared by all threads.

    `site` is what one site's own codes stand for; None where none are mapped.
    """

    def __init__(
        self,
        value_sets: Mapping[str, ValueSet],
        *,
        catalogue: Catalogue | None = None,
        places: Mapping[Coding, Place] | None = None,
        site: Dialect | None = None,
    ) -> None:
        self._value_sets = dict(value_sets)
        self._index = Index(self._value_sets.values())
        self._holders = lru_cache(_REMEMBERED_CODES)(self._find)
        self._measured = lru_cache(_REMEMBERED_CODES)(self._find_measures)
        self._coded = lru_cache(_REMEMBERED_CODES)(self._find_coded)
        self._stated = lru_cache(_REMEMBERED_CODES)(self._find_stated)
        self._members = lru_cache(_REMEMBERED_CODES)(self._find_members)
        self._places = places
        self.site = site
        if catalogue is not None:
            self._catalogue = catalogue

    @staticmethod
    def load() -> Terminology:
        """Return the terminology of the package, read on first use."""
        return _load()

    def classify(self, codings: Iterable[Coding]) -> frozenset[str]:
        """Return the ids of all value sets that hold any of the (system, code) pairs."""
        found: frozenset[str] = frozenset()
        for system, code in codings:
            found |= self._holders(system, code)
        return found

    def has(self, value_set_id: str) -> bool:
        """Tell whether a value set of that id exists."""
        return value_set_id in self._value_sets

    def value_set(self, value_set_id: str) -> ValueSet:
        """Return a value set.

        Raises KeyError, naming the id, when there is none.
        """
        try:
            return self._value_sets[value_set_id]
        except KeyError:
            raise KeyError(f"no value set {value_set_id!r}; see docs/value-sets.md") from None

    @cached_property
    def ids(self) -> frozenset[str]:
        """Ids of all value sets."""
        return frozenset(self._value_sets)

    def label(self, system: str | None, code: str) -> str | None:
        """Return our own short label of a code, or None when we have none."""
        known = normal(system, code)
        return self._index.label(*known) if known else None

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        """The measure catalogue by id."""
        return self._catalogue.measures

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Proposed defaults of minimal changes by name (`mcid-odi`), waiting for sign-off."""
        return self._catalogue.parameters

    def measure(self, measure_id: str) -> Measure:
        """Return a measure.

        Raises KeyError, naming the id, when there is none.
        """
        try:
            return self.measures[measure_id]
        except KeyError:
            raise KeyError(f"no measure {measure_id!r}; see docs/value-sets.md") from None

    @cached_property
    def groups(self) -> frozenset[str]:
        """Ids of all groups of measures."""
        return frozenset(self._catalogue.groups)

    def group(self, group_id: str) -> frozenset[str]:
        """Return the measure ids of a group; empty when there is no such group."""
        return frozenset(self._catalogue.groups.get(group_id, ()))

    def measures_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the measure ids behind measure and group ids, each once, in that order.

        Raises KeyError, naming it, for a name that is neither.
        """
        return self._members(tuple(names))

    def measures_coded(self, codings: Iterable[Coding]) -> tuple[Measure, ...]:
        """Return the measures that codes of an Observation or goal stand for, each once.

        Where a site's own code says how values are written, it is that form which is given.
        """
        return self._coded(tuple(codings))

    def _find_coded(self, codings: tuple[Coding, ...]) -> tuple[Measure, ...]:
        found: dict[str, Measure] = {}
        for system, code in codings:
            for measure in self.measure_of(system, code):
                if measure.id not in found or measure is not self.measures[measure.id]:
                    found[measure.id] = measure
        return tuple(found.values())

    def measure_of(self, system: str | None, code: str) -> tuple[Measure, ...]:
        """Return the measures a code stands for."""
        canonical = normal_system(system)
        if canonical is None or not isinstance(code, str):
            return ()
        return self._measured(canonical, code)

    def measures_answered(self, questionnaires: Iterable[str], link: str) -> tuple[Measure, ...]:
        """Return the measures an item of a form states, by the form's canonical or its last part.

        The canonical may carry a version. An item of any other form states what its linkId is the
        LOINC code of. Single PROMIS items are scored in `promis`.
        """
        return self._stated(frozenset(questionnaires), link)

    def convert(
        self, measure_id: str, value: Fraction, unit: str | None
    ) -> tuple[Fraction, str] | None:
        """Return (value, scale id) on the measure's canonical scale.

        None when the unit is not one of the measure's, the value is outside its range, or the
        record leaves open what it means (`Measure.canonical` gives all that it can mean).
        """
        measure = self.measure(measure_id)
        found = measure.canonical(value, unit)
        return (found[0], measure.scale.id) if len(found) == 1 else None

    def regions_of(
        self, codings: Iterable[Coding], text: str | None = None
    ) -> tuple[frozenset[str], str | None]:
        """Return body regions and side ("left", "right", None) of codes and words together.

        Codes come first; the words tell regions when no code does, and the side likewise.
        """
        return self._regions.of(codings, text)

    @cached_property
    def region_names(self) -> frozenset[str]:
        """Names of all body regions."""
        return self._regions.names

    @cached_property
    def _catalogue(self) -> Catalogue:
        return read_catalogue()

    @cached_property
    def _regions(self) -> Regions:
        return read_regions(self._places)

    def _find_measures(self, canonical: str, code: str) -> tuple[Measure, ...]:
        return tuple(self._catalogue.by_code.get((canonical, normal_code(canonical, code)), ()))

    def _find_stated(self, questionnaires: frozenset[str], link: str) -> tuple[Measure, ...]:
        by_item = self._catalogue.by_item
        found = (
            measure
            for name in sorted(questionnaires)
            for measure in by_item.get((normal_canonical(name), link), ())
        )
        return tuple(dict.fromkeys(found)) or self._measured(LOINC, link)

    def _find_members(self, names: tuple[str, ...]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in names:
            members = self._catalogue.groups.get(name)
            found.update(dict.fromkeys(members if members else [self.measure(name).id]))
        return tuple(found)

    def _find(self, system: str | None, code: str) -> frozenset[str]:
        known = normal(system, code)
        return self._index.holders(*known) if known else frozenset()


@lru_cache(1)
def _load() -> Terminology:
    return Terminology(read_value_sets())
