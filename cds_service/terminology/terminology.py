"""`Terminology`: everything the service knows of codes, measures, regions and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache

from cds_service.terminology.systems import normal_code, normal_system
from cds_service.terminology.value_sets import Index, ValueSet, read_value_sets

Coding = tuple[str | None, str]
"""A pair (system, code) as a record writes it."""

_REMEMBERED_CODES = 65536


class Terminology:
    """Codes and their meaning; made once by `Terminology.load()` and shared by all threads."""

    def __init__(self, value_sets: Mapping[str, ValueSet]) -> None:
        self._value_sets = dict(value_sets)
        self._index = Index(self._value_sets.values())
        self._holders = lru_cache(_REMEMBERED_CODES)(self._find)

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
        canonical = normal_system(system)
        if canonical is None or not isinstance(code, str):
            return None
        return self._index.label(canonical, normal_code(canonical, code))

    def _find(self, system: str | None, code: str) -> frozenset[str]:
        canonical = normal_system(system)
        if canonical is None or not isinstance(code, str):
            return frozenset()
        return self._index.holders(canonical, normal_code(canonical, code))


@lru_cache(1)
def _load() -> Terminology:
    return Terminology(read_value_sets())
