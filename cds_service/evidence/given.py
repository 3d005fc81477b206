"""Procedures of a record, each read once for all that ask: visits, services, surgery."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.evidence import fields
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days
from cds_service.record.model import Resource


@dataclass(slots=True, eq=False)
class Given:
    """A Procedure as its fields tell.

    `written` is the date as it stands there, `code` the first code, `sets` the value sets of all
    its codes, `via` the mappings of the site it goes through.
    """

    resource: Resource
    reference: str
    status: str
    days: Days | None
    written: str | None
    code: str | None
    sets: frozenset[str]
    via: str | None

    def label(self, fallback: str) -> str:
        """Return its words."""
        return fields.label(self.resource.get("code"), fallback)


class Treatments:
    """Every Procedure that tells its status, in the order read."""

    def __init__(self, facts: Facts) -> None:
        self.given = [
            _given(facts, one, status)
            for one in facts.record.of_type("Procedure")
            if (status := fields.text(one, "status"))
        ]

    def of(self, *statuses: str) -> list[Given]:
        """Return those of some statuses."""
        return [one for one in self.given if one.status in statuses]


def _given(facts: Facts, resource: Resource, status: str) -> Given:
    day, start = fields.text(resource, "performedDateTime"), None
    if "performedPeriod" in resource:
        start = fields.period_start(resource, "performedPeriod")
    days, written = fields.first_date(facts, day, start)
    code = resource.get("code")
    codings = fields.codings([code])
    return Given(
        resource,
        fields.identity(resource),
        status,
        days,
        written,
        codings[0][1] if codings else None,
        fields.value_sets(facts, [code]),
        fields.via(facts, [code]),
    )
