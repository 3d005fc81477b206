"""Remarks on the data of a record: what was left out, and why."""

from __future__ import annotations

from cds_service.evidence.conditions import Conditions
from cds_service.evidence.context import Facts
from cds_service.evidence.forms import Forms
from cds_service.evidence.measures import Measures
from cds_service.evidence.visits import Visits


def notes_of(facts: Facts) -> tuple[str, ...]:
    """Return the remarks of all facts, each once."""
    remarks = (
        *facts.of(Conditions).notes,
        *facts.of(Measures).notes,
        *facts.of(Visits).notes,
        *facts.of(Forms).notes,
    )
    return tuple(dict.fromkeys(remarks))
