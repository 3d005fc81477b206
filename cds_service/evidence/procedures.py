"""Completed procedures, with the part of the body they were done on."""

from __future__ import annotations

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import regions
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.given import Given, Treatments
from cds_service.evidence.sites import at_ordered_site


class Procedures:
    """Completed procedures up to the order's date."""

    def __init__(self, facts: Facts) -> None:
        self.done = [
            one
            for one in facts.of(Treatments).of("completed")
            if one.days is None or one.days.first <= facts.day
        ]


def _finding(facts: Facts, given: Given) -> Finding:
    sites, side = regions(facts, *fields.items(given.resource, "bodySite"))
    return Finding(
        given.reference,
        given.written,
        given.code,
        given.label("Procedure"),
        given.days.first if given.days and given.days.exact else None,
        sites,
        side,
        False,
        given.sets,
        given.via,
    )


@leaf("procedure", keys=("procedures",))
def procedure(spec: Spec) -> Leaf:
    """Ask for a completed procedure of a kind, in time, at the ordered site."""
    kinds, limit = frozenset(fields.names(spec["in"])), spec.get("within")
    at_site = spec.get("at") == "ordered-site"

    def judge(context: Context, days: Days | None, finding: Finding) -> Status:
        tests = [fields.recent(context.facts, days, limit)]
        if at_site:
            tests.append(at_ordered_site(finding.regions, finding.side, context.group))
        return fields.weakest(tests)

    def ask(context: Context) -> Answer:
        done = [one for one in context.facts.of(Procedures).done if kinds & one.sets]
        findings = [(one.days, _finding(context.facts, one)) for one in done]
        found = ((judge(context, days, finding), finding) for days, finding in findings)
        return fields.answer(found, fields.holes_of(context, "procedures"))

    return ask
