"""Remarks on the data of a record: what was left out, and why."""

from __future__ import annotations

from cds_service.evidence.conditions import Conditions
from cds_service.evidence.context import Facts
from cds_service.evidence.forms import Forms
from cds_service.evidence.measures import Measures


def notes_of(facts: Facts) -> tuple[str, ...]:
    """Return the remarks of all facts, each once."""
    kinds = (Conditions, Measures, Forms)
    return tuple(dict.fromkeys(note for kind in kinds for note in facts.of(kind).notes))
