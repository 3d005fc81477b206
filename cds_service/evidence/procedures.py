"""Completed procedures, with the part of the body they were done on."""

from __future__ import annotations

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import regions
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.sites import at_ordered_site
from cds_service.record.model import Resource


class Procedures:
    """Completed procedures up to the order's date, each with its value sets."""

    def __init__(self, facts: Facts) -> None:
        found = (
            _procedure(facts, one)
            for one in facts.record.of_type("Procedure")
            if fields.text(one, "status") == "completed"
        )
        self.done = [
            (days, finding) for days, finding in found if days is None or days.first <= facts.day
        ]


def _procedure(facts: Facts, resource: Resource) -> tuple[Days | None, Finding]:
    days, written = fields.first_date(
        facts,
        fields.text(resource, "performedDateTime"),
        fields.period_start(resource, "performedPeriod"),
    )
    code = resource.get("code")
    sites, side = regions(facts, *fields.items(resource, "bodySite"))
    value = next((one for _, one in fields.codings([code])), None)
    finding = Finding(
        fields.identity(resource),
        written,
        value,
        fields.label(code, "Procedure"),
        day=days.first if days and days.exact else None,
        regions=sites,
        side=side,
        value_sets=fields.value_sets(facts, [code]),
        via=fields.via(facts, [code]),
    )
    return days, finding


@leaf("procedure", keys=("procedures",))
def procedure(spec: Spec) -> Leaf:
    """Ask for a completed procedure of a kind, in time, at the ordered site."""
    kinds, limit = frozenset(fields.names(spec["in"])), spec.get("within")
    at_site = spec.get("at") == "ordered-site"

    def judge(context: Context, days: Days | None, finding: Finding) -> Status:
        if not kinds & finding.value_sets:
            return Status.NOT_MET
        tests = [fields.recent(context.facts, days, limit)]
        if at_site:
            tests.append(at_ordered_site(finding.regions, finding.side, context.group))
        return fields.weakest(tests)

    def ask(context: Context) -> Answer:
        found = ((judge(context, *one), one[1]) for one in context.facts.of(Procedures).done)
        return fields.answer(found, fields.holes_of(context, "procedures"))

    return ask
