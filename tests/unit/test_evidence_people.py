"""Who orders and who treats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.evidence.people import People
from cds_service.record.model import Hole
from tests.unit.evidence_facts import NUCC, V2, ask, concept, context_of, facts_of, order

THERAPIST = "225700000X"
PHYSICAL = "225100000X"


def practitioner(identifier: str, code: str | None = None, system: str = NUCC) -> dict[str, Any]:
    made = {"resourceType": "Practitioner", "id": identifier}
    return {**made, "qualification": [{"code": concept(code, None, system)}]} if code else made


def role(identifier: str, code: str | None, of: str | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "PractitionerRole", "id": identifier}
    if code:
        made["specialty"] = [concept(code, None, NUCC)]
    if of:
        made["practitioner"] = {"reference": f"Practitioner/{of}"}
    return {**made, **more}


def by(reference: str) -> list[dict[str, Any]]:
    return [{"reference": reference}]


@pytest.mark.parametrize(
    ("performer", "resources", "expected"),
    [
        (by("PractitionerRole/r"), [role("r", THERAPIST)], "met"),
        (by("PractitionerRole/r"), [role("r", PHYSICAL)], "not-met"),
        (by("PractitionerRole/r"), [role("r", None)], "unknown"),
        (by("PractitionerRole/r"), [role("r", None, "a"), practitioner("a", THERAPIST)], "met"),
        (by("PractitionerRole/r"), [role("r", THERAPIST, active=False)], "unknown"),
        (by("PractitionerRole/r"), [role("r", "local-7")], "not-met"),
        (by("PractitionerRole/r"), [], "unknown"),
        (by("Practitioner/a"), [practitioner("a", THERAPIST)], "met"),
        (by("Practitioner/a"), [practitioner("a"), role("r", THERAPIST, "a")], "met"),
        (
            by("Practitioner/a"),
            [practitioner("a", PHYSICAL), role("r", THERAPIST, "a")],
            "met",
        ),
        (by("Practitioner/a"), [practitioner("a"), role("r", THERAPIST, "b")], "unknown"),
        (by("Practitioner/a"), [practitioner("a", "x", "urn:local")], "unknown"),
        (by("Organization/o"), [{"resourceType": "Organization", "id": "o"}], "unknown"),
        (by("https://x.example/fhir/PractitionerRole/r"), [role("r", THERAPIST)], "met"),
        (None, [], "unknown"),
        ("nobody", [], "unknown"),
        (
            [{"reference": "PractitionerRole/q"}, {"reference": "PractitionerRole/r"}],
            [role("r", THERAPIST), role("q", PHYSICAL)],
            "met",
        ),
    ],
)
def test_performer(performer: Any, resources: list[dict[str, Any]], expected: str) -> None:
    context = context_of(*resources, orders=[order(performer=performer)])
    assert ask("performer", {"in": "role-massage-therapist"}, context).status == expected


def test_who_could_not_be_read_leaves_a_hole() -> None:
    context = context_of(orders=[order(performer=by("PractitionerRole/r"))])
    lost = Hole("references", "PractitionerRole", "http-404")
    other = Hole("references", "Organization", "http-404")
    record = replace(context.facts.record, holes={"references": (other, lost)})
    asked = replace(context, facts=replace(context.facts, record=record))
    answer = ask("performer", {"in": "role-massage-therapist"}, asked)
    assert (answer.status, answer.holes) == ("unknown", (lost,))


def test_performer_by_type() -> None:
    context = context_of(orders=[order(performerType=concept(THERAPIST, None, NUCC))])
    assert ask("performer", {"in": ["role-massage-therapist"]}, context).status == "met"


def test_care_team() -> None:
    team = {
        "resourceType": "CareTeam",
        "id": "t",
        "participant": [{"member": {"reference": "PractitionerRole/r"}}, None, {"member": "x"}],
    }
    context = context_of(team, role("r", PHYSICAL), orders=[order(performer=by("CareTeam/t"))])
    assert ask("performer", {"in": "role-physical-therapist"}, context).status == "met"


def test_a_role_that_names_itself_as_practitioner_counts_by_itself() -> None:
    itself = role("r", THERAPIST, practitioner={"reference": "PractitionerRole/r"})
    context = context_of(itself, orders=[order(performer=by("PractitionerRole/r"))])
    assert ask("performer", {"in": "role-massage-therapist"}, context).status == "met"


def test_contained_performer() -> None:
    signed = order(contained=[role("k", THERAPIST)], performer=by("#k"))
    context = context_of(orders=[signed])
    assert ask("performer", {"in": "role-massage-therapist"}, context).status == "met"


@pytest.mark.parametrize(
    ("requester", "wanted", "expected"),
    [
        ("Practitioner/md", "role-physician", "met"),
        ("Practitioner/md", "role-massage-therapist", "not-met"),
        ("Patient/p1", "patient", "met"),
        ("Patient/p1", "role-physician", "not-met"),
        ("RelatedPerson/x", ["patient", "related-person"], "met"),
        ("Practitioner/md", "patient", "not-met"),
        ("Device/d", "role-physician", "unknown"),
    ],
)
def test_requester_role(requester: str, wanted: Any, expected: str) -> None:
    context = context_of(
        practitioner("md", "MD", V2), orders=[order(requester={"reference": requester})]
    )
    assert ask("requester", {"in": wanted}, context).status == expected


def test_requester_or_the_patient() -> None:
    spec = {"in": ["role-massage-therapist"], "or": ["patient", "related-person"]}
    context = context_of(orders=[order(requester={"reference": "Patient/p1"})])
    assert ask("requester", spec, context).status == "met"


@pytest.mark.parametrize(
    ("requester", "expected"),
    [("Patient/p1", "met"), ("RelatedPerson/x", "met"), ("Practitioner/unread", "not-met")],
)
def test_requester_self_needs_no_role(requester: str, expected: str) -> None:
    context = context_of(orders=[order(requester={"reference": requester})])
    assert ask("requester", {"self": True}, context).status == expected


def test_finding_tells_who() -> None:
    context = context_of(role("r", THERAPIST), orders=[order(performer=by("PractitionerRole/r"))])
    (finding,) = ask("performer", {"in": "role-massage-therapist"}, context).findings
    assert (finding.reference, finding.value) == ("PractitionerRole/r", THERAPIST)
    assert finding.date == "2026-03-16"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Practitioner/a", "Practitioner/a", True),
        ("PractitionerRole/r", "Practitioner/a", True),
        ("PractitionerRole/r", "PractitionerRole/s", True),
        ("PractitionerRole/r", "Practitioner/b", False),
    ],
)
def test_same_person(one: str, other: str, same: bool) -> None:
    resources = [
        practitioner("a"),
        practitioner("b"),
        role("r", THERAPIST, "a"),
        role("s", PHYSICAL, "a"),
    ]
    people = facts_of(*resources).of(People)
    found, compared = (people.person({}, {"reference": name}) for name in (one, other))
    assert bool(found.identities & compared.identities) is same
