"""Programs in which the patient is enrolled."""

from __future__ import annotations

import re
from typing import Any

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import data
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import parse_days
from cds_service.evidence.windows import inside
from cds_service.record.model import Resource, relative

KINDS: dict[str, tuple[str, ...]] = {
    "Flag": ("code", "category"),
    "CarePlan": ("category",),
    "EpisodeOfCare": ("type",),
    "Group": ("code",),
}
"""Where each kind of resource codes what it enrols in."""


@leaf("program", keys=("flags", "plans", "episodes"))
def program(spec: Spec) -> Leaf:
    """Whether the patient is enrolled in a program on the order's date."""
    asked = [(name, data("programs.yaml")[name]) for name in fields.names(spec["is"])]
    return lambda context: _enrolled(asked, context)


def _enrolled(asked: list[tuple[str, dict[str, Any]]], context: Context) -> Answer:
    facts = context.facts
    found = [
        (status, _finding(resource, name, facts, kind))
        for kind in KINDS
        for resource in facts.record.of_type(kind)
        for name, entry in asked
        if _names(resource, kind, entry, facts)
        if (status := _running(resource, kind, facts)) is not Status.NOT_MET
    ]
    return fields.answer(found, fields.holes_of(context, "flags", "plans", "episodes"))


def _names(resource: Resource, kind: str, entry: dict[str, Any], facts: Facts) -> bool:
    concepts = _concepts(resource, kind)
    wanted = {(one["system"], one["code"]) for one in entry["codes"]}
    if wanted & set(fields.coded(facts, concepts)):
        return True
    titles = [said for one in concepts if (said := fields.text(one, "text"))]
    return any(one.strip() in entry["alone"] for one in titles) or any(
        re.search(rf"(?<!\w){re.escape(t)}(?!\w)", s) for t in entry["titles"] for s in titles
    )


def _concepts(resource: Resource, kind: str) -> list[dict[str, Any]]:
    """Return what enrols, with title and name as words that a site may map."""
    coded = [concept for name in KINDS[kind] for concept in fields.items(resource, name)]
    said = (fields.text(resource, name) for name in ("title", "name"))
    return [*coded, *({"text": words} for words in said if words)]


def _running(resource: Resource, kind: str, facts: Facts) -> Status:
    if kind == "Group":
        return _member(resource, facts)
    if resource.get("status") != "active":
        return Status.NOT_MET
    return _in_period(fields.item(resource, "period"), facts)


def _member(group: Resource, facts: Facts) -> Status:
    if group.get("active") is False:
        return Status.NOT_MET
    patient = f"Patient/{facts.record.patient_id}"
    for one in fields.items(group, "member"):
        written = fields.text(fields.item(one, "entity"), "reference")
        if written and relative(written) == patient and one.get("inactive") is not True:
            return _in_period(fields.item(one, "period"), facts)
    return Status.NOT_MET


def _in_period(period: dict[str, Any], facts: Facts) -> Status:
    start, end = (parse_days(fields.text(period, name), facts.zone) for name in ("start", "end"))
    return inside(start, end, facts.day)


def _finding(resource: Resource, name: str, facts: Facts, kind: str) -> Finding:
    began = fields.text(fields.item(resource, "period"), "start")
    via = fields.via(facts, _concepts(resource, kind))
    return Finding(fields.identity(resource), began, name, f"Enrolled in {name}", via=via)
