"""Allergies, and illnesses in the family."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import CERTAIN, status, value
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.record.model import Resource

OVER = frozenset({"inactive", "resolved"})
DROPPED = frozenset({"refuted", "entered-in-error"})
READ = frozenset({"partial", "completed"})


@leaf("allergy", keys=("allergies",))
def allergy(spec: Spec) -> Leaf:
    """A current allergy or intolerance to a substance in the value sets, confirmed or suspected."""
    wanted = frozenset(fields.names(spec["in"]))

    def ask(context: Context) -> Answer:
        found = [
            (Status.MET, finding)
            for resource in context.facts.record.of_type("AllergyIntolerance")
            if (finding := _allergy(resource, context.facts, wanted))
        ]
        return fields.answer(found, fields.holes_of(context, "allergies"))

    return ask


def _allergy(resource: Resource, facts: Facts, wanted: frozenset[str]) -> Finding | None:
    verification = status(resource, "verificationStatus")
    if status(resource, "clinicalStatus") in OVER or verification in DROPPED:
        return None
    substances = [fields.item(one, "substance") for one in fields.items(resource, "reaction")]
    concepts = [fields.item(resource, "code"), *substances]
    held = fields.value_sets(facts, concepts)
    names = ("onsetDateTime", "recordedDate")
    days, written = fields.first_date(facts, *(fields.text(resource, name) for name in names))
    if not held & wanted or (days and days.first > facts.day):
        return None
    return Finding(
        reference=fields.identity(resource),
        date=written,
        value=value(concepts),
        text=fields.label(concepts[0], "Allergy"),
        day=min(days.last, facts.day) if days else None,
        suspected=verification not in CERTAIN,
        value_sets=held,
    )


@leaf("family-history", keys=("family",))
def family_history(spec: Spec) -> Leaf:
    """An illness in the value sets in a relative."""
    wanted = frozenset(fields.names(spec["in"]))

    def ask(context: Context) -> Answer:
        found = [
            (Status.MET, finding)
            for resource in context.facts.record.of_type("FamilyMemberHistory")
            for finding in _relative(resource, context.facts, wanted)
        ]
        return fields.answer(found, fields.holes_of(context, "family"))

    return ask


def _relative(resource: Resource, facts: Facts, wanted: frozenset[str]) -> Iterator[Finding]:
    days, written = fields.first_date(facts, fields.text(resource, "date"))
    if fields.text(resource, "status") not in READ or (days and days.first > facts.day):
        return
    who = fields.label(fields.item(resource, "relationship"), "relative")
    for illness in fields.items(resource, "condition"):
        code = fields.item(illness, "code")
        held = fields.value_sets(facts, [code])
        if held & wanted:
            text = f"{fields.label(code, 'illness')} ({who})"
            yield Finding(fields.identity(resource), written, value([code]), text, value_sets=held)
