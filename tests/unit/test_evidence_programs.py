"""Programs, other orders, allergies, family history."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.evidence_facts import CPT, NUCC, ask, concept, condition, context_of, order, timing

PROGRAMS = "https://massage-cds.example.org/fhir/CodeSystem/programs"


def flag(**more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Flag",
        "id": "f",
        "status": "active",
        "code": concept("HOPE", None, PROGRAMS),
    }
    return {name: value for name, value in {**made, **more}.items() if value is not None}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (flag(), "met"),
        (flag(status="inactive"), "not-met"),
        (flag(status=None), "not-met"),
        (flag(code=concept("OTHER", None, PROGRAMS)), "not-met"),
        (flag(code=concept("HOPE", None, "urn:elsewhere")), "not-met"),
        (flag(code={"text": "HOPE member"}), "met"),
        (flag(code={"text": "HOPE"}), "met"),
        (flag(code={"text": "HOPE VI housing voucher"}), "not-met"),
        (flag(code={"text": "hope for the best"}), "not-met"),
        (flag(code="HOPE"), "not-met"),
        (flag(period={"end": "2026-03-15"}), "not-met"),
        (flag(period={"start": "2026-03-17"}), "not-met"),
        (flag(period={"end": "2026-03"}), "unknown"),
        ({"resourceType": "CarePlan", "status": "active", "title": "HOPE plan"}, "met"),
        ({"resourceType": "CarePlan", "status": "revoked", "title": "HOPE plan"}, "not-met"),
        (
            {
                "resourceType": "EpisodeOfCare",
                "status": "active",
                "type": [concept("HOPE", None, PROGRAMS)],
            },
            "met",
        ),
        (
            {
                "resourceType": "Group",
                "name": "HOPE",
                "member": [{"entity": {"reference": "Patient/p1"}}],
            },
            "met",
        ),
        (
            {
                "resourceType": "Group",
                "name": "HOPE",
                "member": [{"entity": {"reference": "Patient/p2"}}],
            },
            "not-met",
        ),
    ],
)
def test_program(resource: dict[str, Any], expected: str) -> None:
    assert ask("program", {"is": "HOPE"}, context_of(resource)).status == expected


@pytest.mark.parametrize("key", ["flags", "plans", "episodes"])
def test_program_holes(key: str) -> None:
    assert ask("program", {"is": "HOPE"}, context_of(holes=(key,))).status == "unknown"
    assert ask("program", {"is": "HOPE"}, context_of(flag(), holes=(key,))).status == "met"


ROLES = [
    {"resourceType": "PractitionerRole", "id": name, "code": [concept(code, None, NUCC)]}
    for name, code in (("mt", "225700000X"), ("pt", "225100000X"))
]
OURS = {
    "bodySite": [concept(None, "lumbar")],
    "performer": [{"reference": "PractitionerRole/mt"}],
    **timing(boundsPeriod={"start": "2026-03-16", "end": "2026-04-13"}),
}
DUPLICATE = {
    "in": "massage-procedure",
    "active": True,
    "same-region": True,
    "overlapping": True,
    "same-discipline": True,
}


def other(**more: Any) -> dict[str, Any]:
    made = {
        "status": "active",
        "authoredOn": "2026-03-01",
        "occurrencePeriod": {"start": "2026-03-11", "end": "2026-04-10"},
        "bodySite": [concept(None, "lumbar")],
        "performer": [{"reference": "PractitionerRole/mt"}],
    }
    return order(more.pop("code", "97124"), "other", **{**made, **more})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "met"),
        ({"status": "completed"}, "not-met"),
        ({"status": "on-hold"}, "not-met"),
        ({"status": "revoked"}, "not-met"),
        ({"doNotPerform": True}, "not-met"),
        ({"authoredOn": "2026-06-01"}, "not-met"),
        ({"code": "97530"}, "not-met"),
        ({"bodySite": [concept(None, "neck")]}, "not-met"),
        ({"bodySite": None}, "unknown"),
        ({"performer": [{"reference": "PractitionerRole/pt"}]}, "not-met"),
        ({"performer": None}, "unknown"),
        ({"performer": [{"reference": "PractitionerRole/lost"}]}, "unknown"),
        ({"occurrencePeriod": {"start": "2026-01-01", "end": "2026-03-15"}}, "not-met"),
        ({"occurrencePeriod": {"start": "2026-04-14"}}, "not-met"),
        ({"occurrencePeriod": {"start": "2026-03-11"}}, "unknown"),
        ({"occurrencePeriod": {"start": "2026-03-11", "end": "2026-03"}}, "unknown"),
        ({"occurrencePeriod": None}, "unknown"),
    ],
)
def test_other_order(more: dict[str, Any], expected: str) -> None:
    context = context_of(*ROLES, other(**more), orders=[order(**OURS)])
    assert ask("other-order", DUPLICATE, context).status == expected


def test_another_discipline() -> None:
    theirs = other(performer=[{"reference": "PractitionerRole/pt"}])
    context = context_of(*ROLES, theirs, orders=[order(**OURS)])
    answer = ask("other-order", {**DUPLICATE, "same-discipline": False}, context)
    assert answer.status == "met"
    (finding,) = answer.findings
    assert (finding.reference, finding.date) == ("ServiceRequest/other", "2026-03-01")
    assert finding.value == "97124"


def test_same_code() -> None:
    context = context_of(other(code="97140"), orders=[order(**OURS)])
    assert ask("other-order", {"same-code": True}, context).status == "not-met"
    assert ask("other-order", {"in": "massage-procedure"}, context).status == "met"


def test_the_draft_itself_and_what_it_replaces_are_no_others() -> None:
    signed_again = order(identifier="other", **OURS)
    assert ask("other-order", {}, context_of(other(), orders=[signed_again])).status == "not-met"
    replacing = order(replaces=[{"reference": "ServiceRequest/other"}])
    assert ask("other-order", {}, context_of(other(), orders=[replacing])).status == "not-met"


def visits(*days: int) -> list[dict[str, Any]]:
    """Return massage given on days of March."""
    return [
        {
            "resourceType": "Procedure",
            "id": f"given-{day}",
            "status": "completed",
            "code": concept("97124", None, CPT),
            "performedDateTime": f"2026-03-{day:02}",
        }
        for day in days
    ]


def of_visits(number: int, name: str = "other", **more: Any) -> dict[str, Any]:
    period = {"start": "2026-03-01", "end": "2027-02-28"}
    amount = {"value": number, "unit": "visits"}
    return other(**{"occurrencePeriod": period, "quantityQuantity": amount, **more}) | {"id": name}


PT = {"performer": [{"reference": "PractitionerRole/pt"}]}
LATER = {"occurrencePeriod": {"start": "2026-03-08", "end": "2027-03-07"}}


@pytest.mark.parametrize(
    ("orders", "given", "expected"),
    [
        ([of_visits(2)], [2, 9], "not-met"),
        ([of_visits(3)], [2, 9], "met"),
        ([of_visits(2)], [], "met"),
        ([of_visits(2), of_visits(2, "second", code="97140")], [2, 9], "not-met"),
        ([of_visits(2), of_visits(2, "second")], [2, 9], "met"),
        ([of_visits(2), of_visits(2, "second", code="97140", **PT)], [2, 9], "met"),
        ([of_visits(1), of_visits(1, "second", **LATER)], [2, 9], "not-met"),
        ([of_visits(2), of_visits(1, "second", **LATER)], [2, 9], "met"),
        ([of_visits(2), other(code="97140", **PT) | {"id": "second"}], [2, 9], "met"),
    ],
    ids=[
        "all given",
        "one left",
        "none given",
        "signed together",
        "twice the same",
        "one by another",
        "two in a row",
        "two in a row and one left",
        "no number",
    ],
)
def test_an_order_whose_visits_were_all_given_is_no_duplicate(
    orders: list[dict[str, Any]], given: list[int], expected: str
) -> None:
    context = context_of(*ROLES, *orders, *visits(*given), orders=[order(**OURS)])
    assert ask("other-order", DUPLICATE, context).status == expected


def test_whether_visits_are_left_is_open_where_they_could_not_be_read() -> None:
    context = context_of(*ROLES, of_visits(2), orders=[order(**OURS)], holes=("procedures",))
    answer = ask("other-order", DUPLICATE, context)
    assert (answer.status, [hole.key for hole in answer.holes]) == ("unknown", ["procedures"])
    unstated = context_of(*ROLES, other(), orders=[order(**OURS)], holes=("procedures",))
    assert ask("other-order", DUPLICATE, unstated).status == "met"


def test_other_order_hole() -> None:
    assert ask("other-order", DUPLICATE, context_of(holes=("orders",))).status == "unknown"


def allergy(**more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "clinicalStatus": concept("active", None, "urn:s"),
        "code": concept("lanolin", "Lanolin", "http://snomed.info/sct"),
        "recordedDate": "2025-01-01",
    }
    return {name: value for name, value in {**made, **more}.items() if value is not None}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "met"),
        ({"clinicalStatus": None}, "met"),
        ({"clinicalStatus": concept("resolved", None, "urn:s")}, "not-met"),
        ({"verificationStatus": concept("refuted", None, "urn:s")}, "not-met"),
        ({"verificationStatus": concept("entered-in-error", None, "urn:s")}, "not-met"),
        ({"verificationStatus": concept("unconfirmed", None, "urn:s")}, "met"),
        ({"recordedDate": "2026-04-01"}, "not-met"),
        ({"code": concept("peanut", None, "urn:s")}, "not-met"),
        ({"code": "lanolin"}, "not-met"),
        ({"code": None, "reaction": [{"substance": concept("lanolin", None, "urn:s")}]}, "met"),
    ],
)
def test_allergy(more: dict[str, Any], expected: str) -> None:
    spec = {"in": "massage-oil-allergens"}
    assert ask("allergy", spec, context_of(allergy(**more))).status == expected


def test_unconfirmed_allergy_is_suspected() -> None:
    one = allergy(verificationStatus=concept("unconfirmed", None, "urn:s"))
    (finding,) = ask("allergy", {"in": "massage-oil-allergens"}, context_of(one)).findings
    assert finding.suspected
    assert (finding.date, finding.text) == ("2025-01-01", "Lanolin")


def family(**more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "FamilyMemberHistory",
        "id": "h",
        "status": "completed",
        "date": "2024-05-01",
        "relationship": {"text": "mother"},
        "condition": [{"code": concept("C50.9", "Breast cancer")}],
    }
    return {**made, **more}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "met"),
        ({"status": "partial"}, "met"),
        ({"status": "health-unknown"}, "not-met"),
        ({"status": "entered-in-error"}, "not-met"),
        ({"date": "2027"}, "not-met"),
        ({"condition": [{"code": concept("E11.9")}]}, "not-met"),
        ({"condition": "cancer"}, "not-met"),
    ],
)
def test_family_history(more: dict[str, Any], expected: str) -> None:
    assert ask("family-history", {"in": "cancer"}, context_of(family(**more))).status == expected


def test_family_history_does_not_come_from_the_patient() -> None:
    answer = ask("family-history", {"in": "cancer"}, context_of(condition("C50.9")))
    assert answer.status == "not-met"


@pytest.mark.parametrize(
    ("leaf", "key", "sets"),
    [("allergy", "allergies", "massage-oil-allergens"), ("family-history", "family", "cancer")],
)
def test_holes(leaf: str, key: str, sets: str) -> None:
    answer = ask(leaf, {"in": sets}, context_of(holes=(key,)))
    assert (answer.status, answer.holes[0].key) == ("unknown", key)


def test_procedure_system_of_the_tests() -> None:
    assert order()["code"]["coding"][0]["system"] == CPT
