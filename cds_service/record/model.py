"""The patient record as it was read: plain FHIR JSON by type, with the holes in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

Resource = dict[str, Any]


GONE = frozenset({"http-404", "http-410"})
"""Reasons by which a server says that there is no such resource: an answer, not a failure."""


class Hole(Struct, frozen=True):
    """Data that could not be read.

    `key` is the query key of `queries.yaml` ("conditions"), or "references" for a literal reference
    that rules follow. `query` is what was asked, as people are told ("Observation (vitals)": the
    type first, never a patient id). `reason` is a short word:

    - timeout, connection, busy: no answer in time, none at all, no place in the fetch pool
    - http-401, http-404, http-500 ...: the status the server answered
    - outcome-forbidden ...: the issue code of an OperationOutcome, from server or prefetch
    - not-json, not-fhir, too-large: an answer that cannot be used
    - truncated, too-many-pages: pages are lacking, or parts of a resource; what was read counts
    - not-authorised: the token's scopes leave it out, or some of it
    - not-allowed: the URL leads elsewhere
    - absent: neither prefetch nor server gives it; not-asked: nobody asked so far
    - another-patient, no-patient: a resource was left out because it is not this patient's, or
      does not say whose it is
    - modified: a resource was left out because an extension that we do not know changes its meaning
    - too-many-references: the call follows no more of them
    """

    key: str
    query: str
    reason: str


def asking_for(holes: Iterable[Hole]) -> str:
    """Return what to tell a caller without whose data no answer can be given."""
    told = ", ".join(dict.fromkeys(f"{hole.query} ({hole.reason})" for hole in holes))
    return (
        f"Needed and to be had neither from prefetch nor from the FHIR server: {told}. Send it as "
        "prefetch, or a fhirServer and token that can read it."
    )


@dataclass(frozen=True)
class PatientRecord:
    """Everything read about one patient, indexed once.

    `by_type` holds resources of this patient, entered-in-error ones removed (G-05). Resources
    that are odd are kept: whoever reads a field does so tolerantly. `by_reference` resolves
    "Type/id" of everything read, also of practitioners, roles and organizations, which belong to
    no patient. `holes` names what could not be read, by query key. `unasked` holds one hole for
    each key that nobody has asked for yet: a rule that reads it all the same finds a hole, not an
    absence. `retracted` holds what was entered in error, by type: it never counts as evidence, and
    tells that an order's reason rests on a mistake. `gathering` is where the reader goes on when
    more is needed.
    """

    patient_id: str
    by_type: Mapping[str, Sequence[Resource]]
    by_reference: Mapping[str, Resource] = field(default_factory=dict)
    holes: Mapping[str, tuple[Hole, ...]] = field(default_factory=dict)
    unasked: Mapping[str, tuple[Hole, ...]] = field(default_factory=dict)
    retracted: Mapping[str, Sequence[Resource]] = field(default_factory=dict)
    gathering: Any = field(default=None, repr=False, compare=False)

    def of_type(self, resource_type: str) -> Sequence[Resource]:
        """Return the resources of a type in the order they were read."""
        return self.by_type.get(resource_type, ())

    def resolve(self, reference: str | None, within: Resource | None = None) -> Resource | None:
        """Return the resource behind a literal reference, if it was read.

        "#id" is looked for among the contained resources of `within`, the resource that refers.
        """
        if not isinstance(reference, str) or not reference:
            return None
        if reference.startswith("#"):
            return _contained(within, reference[1:])
        return self.by_reference.get(relative(reference))

    def holes_of(self, keys: Iterable[str]) -> tuple[Hole, ...]:
        """Return the holes in the given query keys."""
        found: list[Hole] = []
        for key in keys:
            found += self.holes.get(key) or self.unasked.get(key, ())
        return tuple(found)


def relative(reference: str) -> str:
    """Return "Type/id" of a relative, absolute or versioned reference."""
    if reference.count("/") == 1:
        return reference
    parts = reference.split("/_history/", maxsplit=1)[0].split("/")
    return "/".join(parts[-2:])


def base_of(url: str) -> str | None:
    """Return where a resource's absolute URL leads: the server's "host/path"; None for others.

    http and https are the same, each with its usual port: proxies change one into the other.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        return None
    host, _, path = rest.split("/_history/", maxsplit=1)[0].partition("/")
    host = host.lower().removesuffix(":443").removesuffix(":80")
    return "/".join([host, *path.split("/")[:-2]])


def _contained(resource: Resource | None, local_id: str) -> Resource | None:
    """Return the contained resource of that id; a single one need not stand in a list."""
    inside = resource.get("contained") if isinstance(resource, dict) else None
    listed = [inside] if isinstance(inside, dict) else inside
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and item.get("id") == local_id:
            return item
    return None
