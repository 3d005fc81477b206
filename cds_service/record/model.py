"""The patient record as it was read: plain FHIR JSON by type, with the holes in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hole:
    """Data that could not be read.

    `key` is the query key of `queries.yaml` ("conditions"), `query` what was asked
    ("Condition?patient=..."; shown to people without the patient id), `reason` a short word such
    as "timeout", "http-500", "truncated", "not-authorised".
    """

    key: str
    query: str
    reason: str


@dataclass(frozen=True)
class PatientRecord:
    """Everything read about one patient, indexed once.

    `by_type` holds resources of this patient, entered-in-error ones removed (G-05). Resources
    that are odd are kept: whoever reads a field does so tolerantly. `by_reference` resolves
    "Type/id" of everything read, also of practitioners, roles and organizations, which belong to
    no patient. `holes` names what could not be read, by query key.
    """

    patient_id: str
    by_type: Mapping[str, Sequence[Resource]]
    by_reference: Mapping[str, Resource] = field(default_factory=dict)
    holes: Mapping[str, tuple[Hole, ...]] = field(default_factory=dict)

    def of_type(self, resource_type: str) -> Sequence[Resource]:
        """Return the resources of a type in the order they were read."""
        return self.by_type.get(resource_type, ())

    def resolve(self, reference: str | None) -> Resource | None:
        """Return the resource behind a relative or absolute literal reference, if it was read."""
        if not reference:
            return None
        return self.by_reference.get(relative(reference))

    def holes_of(self, keys: Iterable[str]) -> tuple[Hole, ...]:
        """Return the holes in the given query keys."""
        return tuple(hole for key in keys for hole in self.holes.get(key, ()))


def relative(reference: str) -> str:
    """Return "Type/id" of a relative, absolute or versioned reference."""
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:])
