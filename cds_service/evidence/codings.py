"""Codes and references of FHIR JSON beyond single fields: statuses, contained resources, words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from cds_service.evidence import fields
from cds_service.evidence.context import Facts
from cds_service.record.gathering import status_in_words
from cds_service.record.model import PatientRecord, Resource, relative
from cds_service.terminology.measures import Loader

HL7 = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
"""How the code systems of HL7 begin, to which FHIR binds its statuses."""
CERTAIN = frozenset({None, "confirmed"})
"""What a verification status says of what is sure; one that is absent counts as confirmed."""


@lru_cache(maxsize=8)
def data(name: str) -> dict[str, Any]:
    """Return the content of a data file of this room, read once."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader))


def status(resource: object, name: str) -> str | None:
    """Return a status: the code of a CodeableConcept, or a plain code as older records write it.

    Of several codings the one of HL7 counts: a site may put its own before it. A status in words
    alone ("Entered in Error") reads as the code of its words, "entered-in-error".
    """
    plain = fields.text(resource, name)
    if plain:
        return plain.strip().lower()
    concept = fields.item(resource, name)
    coded = fields.codings([concept])
    if coded:
        return min(coded, key=_distance)[1].strip().lower()
    said = fields.text(concept, "text")
    return status_in_words(said) or None if said else None


def _distance(coding: fields.Coding) -> int:
    """Return how far the system of a status is from the one that it is bound to."""
    system = coding[0]
    return 1 if system is None else 0 if system.lower().startswith(HL7) else 2


def value(concepts: Iterable[object]) -> str | None:
    """Return the first code, to be shown as the value of a finding."""
    return next((code for _, code in fields.codings(concepts)), None)


def resolve(record: PatientRecord, holder: Resource, element: object) -> Resource | None:
    """Return the resource a Reference points to, in the record or contained in its holder."""
    return record.resolve(fields.text(element, "reference"), holder)


def belongs(resource: Resource, name: str, patient_id: str) -> bool:
    """Whether a resource is about this patient; one that names nobody is taken as found."""
    written = fields.text(fields.item(resource, name), "reference")
    about = relative(written) if written else None
    return about is None or not about.startswith("Patient/") or about == f"Patient/{patient_id}"


def regions(facts: Facts, *concepts: object) -> tuple[frozenset[str], str | None]:
    """Return body regions and side ("left", "right" or None) of the concepts taken together."""
    found: set[str] = set()
    sides: set[str | None] = set()
    for concept in concepts:
        here, side = _regions(facts, concept)
        found |= here
        if here:
            sides.add(side)
    return frozenset(found), next(iter(sides)) if len(sides) == 1 else None


def _regions(facts: Facts, concept: object) -> tuple[frozenset[str], str | None]:
    said = fields.words_of([concept])
    coded = fields.coded(facts, [concept])
    found, side = facts.terminology.regions_of(coded, said[0] if said else None)
    return frozenset(found), side
