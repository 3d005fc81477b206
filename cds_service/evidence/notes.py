"""Remarks on the data of a record: what was left out, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from cds_service.evidence import fields
from cds_service.evidence.conditions import Conditions
from cds_service.evidence.context import Context
from cds_service.evidence.forms import Forms
from cds_service.evidence.measures import Measures
from cds_service.evidence.visits import Visits


def notes_of(context: Context, cited: Collection[str]) -> tuple[str, ...]:
    """Return the remarks of all facts, each once; `cited` are the references of the evidence."""
    facts = context.facts
    remarks = (
        *facts.of(Conditions).notes,
        *facts.of(Measures).notes,
        *_of_one_day(context, cited),
        *facts.of(Visits).notes,
        *facts.of(Forms).notes,
    )
    return tuple(dict.fromkeys(remarks))


def _of_one_day(context: Context, cited: Collection[str]) -> Iterator[str]:
    """Yield what tells of several values of one day, where one is evidence or current.

    A hospital stay of years ago has many: they tell nobody anything of today's order.
    """
    current = fields.whole(context.numbers["current-days"])
    first = context.facts.day - timedelta(days=current)
    for point, told in context.facts.of(Measures).twice:
        if point.finding.reference in cited or point.day >= first:
            yield told
