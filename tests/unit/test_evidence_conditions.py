"""Diagnoses and reasons: which count, when, where and for what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.evidence import diagnoses
from cds_service.evidence.conditions import Conditions
from cds_service.evidence.context import LEAVES, Context, Facts
from cds_service.record.model import Hole
from tests.unit.evidence_facts import (
    ICD,
    SNOMED,
    ask,
    concept,
    condition,
    context_of,
    facts_of,
    order,
)
from tests.unit.evidence_help import CPT, ago, context

LOW_BACK = {"in": "low-back-pain"}


def status_of(spec: dict[str, Any], *resources: dict[str, Any], **more: Any) -> str:
    return str(ask("condition", spec, context_of(*resources, **more)).status)


@pytest.mark.parametrize(
    ("clinical", "verification", "eligibility", "safety", "history", "inactive"),
    [
        ("active", "confirmed", "met", "met", "met", "not-met"),
        ("recurrence", "confirmed", "met", "met", "met", "not-met"),
        ("relapse", None, "met", "met", "met", "not-met"),
        ("active", "provisional", "unknown", "met", "met", "not-met"),
        ("active", "unconfirmed", "unknown", "met", "met", "not-met"),
        ("active", "differential", "unknown", "met", "met", "not-met"),
        ("active", "refuted", "not-met", "not-met", "not-met", "not-met"),
        ("active", "entered-in-error", "not-met", "not-met", "not-met", "not-met"),
        (None, "confirmed", "unknown", "met", "met", "not-met"),
        ("odd", "confirmed", "unknown", "met", "met", "not-met"),
        ("inactive", "confirmed", "not-met", "not-met", "met", "met"),
        ("remission", "confirmed", "not-met", "not-met", "met", "met"),
        ("resolved", "confirmed", "not-met", "not-met", "met", "met"),
    ],
)
def test_status_by_use(
    clinical: Any, verification: Any, eligibility: str, safety: str, history: str, inactive: str
) -> None:
    fact = condition("M54.50", clinicalStatus=clinical, verificationStatus=verification)
    wanted = {
        "eligibility": eligibility,
        "safety": safety,
        "history": history,
        "inactive": inactive,
    }
    assert {use: status_of({**LOW_BACK, "use": use}, fact) for use in wanted} == wanted


def test_a_status_in_words_alone_reads_as_its_code() -> None:
    retold = condition("M54.50", clinicalStatus={"text": " Active "})
    assert status_of(LOW_BACK, retold) == "met"
    wrong = condition("M54.50", verificationStatus={"text": "Entered in Error"})
    assert status_of({**LOW_BACK, "use": "safety"}, wrong) == "not-met"
    doubted = condition("M54.50", verificationStatus={"text": "Provisional"})
    assert status_of(LOW_BACK, doubted) == "unknown"


@pytest.mark.parametrize("dated", ["0001-01-01T00:00:00Z", "1900-01-01", "1971-09-15"])
def test_a_date_before_birth_is_none(dated: str) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1971-09-16"}
    long = {**LOW_BACK, "onset": {"older-than": 90}}

    def of(onset: str, **more: Any) -> str:
        return status_of(long, patient, condition("M54.50", onsetDateTime=onset, **more))

    assert of(dated) == "unknown"
    assert of(dated, recordedDate="2026-03-10") == "not-met"
    assert of("1971-09-16", recordedDate="2026-03-10") == "met"
    assert of("1971", recordedDate="2026-03-10") == "met"


@pytest.mark.parametrize(
    ("about", "why", "told"),
    [
        ("Condition", "http-500", True),
        ("Condition", "not-authorised", True),
        ("Condition", "http-404", False),
        ("Practitioner", "http-500", False),
    ],
)
def test_a_reason_that_could_not_be_read_is_a_hole(about: str, why: str, told: bool) -> None:
    hole = Hole("references", about, why)
    signed = order(reasonReference=[{"reference": "Condition/lost"}])
    context = context_of(orders=[signed])
    facts = context.facts
    record = replace(facts.record, holes={"references": (hole,)})
    named = Facts(record, [signed], facts.day, facts.zone, facts.terminology, {})
    seen = Context(named, context.group, None, {})
    for leaf, spec in (
        ("reason", {"coded": True}),
        ("reason", {"on-file": True}),
        ("reason", {"in": "low-back-pain"}),
        ("reason", {"only-in": "low-back-pain"}),
        ("condition", {**LOW_BACK, "role": "reason"}),
    ):
        answer = ask(leaf, spec, seen)
        assert str(answer.status) == "unknown"
        assert answer.holes == ((hole,) if told else ())


def test_a_diagnosis_is_dated_by_when_it_was_asserted_where_nothing_else_tells() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"

    def of(day: str, **more: Any) -> str:
        dated = {"extension": [{"url": "x"}, {"url": url, "valueDateTime": day}]}
        fact = condition("M54.50", **{"onsetDateTime": None, **dated, **more})
        return status_of({**LOW_BACK, "onset": {"older-than": 90}}, fact)

    assert of("2025-06-01") == "met"
    assert of("2026-03-10") == "not-met"
    assert of("2025-06-01", recordedDate="2026-03-10") == "not-met"
    assert of("2025-06-01", onsetDateTime="2026-03-10") == "not-met"


OWN = {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.698084.1", "code": "4", "display": "Own"}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("clinical", "verification", "eligibility", "safety"),
    [
        ("active", "confirmed", "met", "met"),
        ("active", "provisional", "unknown", "met"),
        ("resolved", "confirmed", "not-met", "not-met"),
        ("active", "refuted", "not-met", "not-met"),
    ],
)
def test_the_sites_own_code_beside_a_status_changes_nothing(
    first: bool, clinical: str, verification: str, eligibility: str, safety: str
) -> None:
    def beside(system: str, code: str) -> dict[str, Any]:
        bound = {"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}
        return {"coding": [OWN, bound] if first else [bound, OWN]}

    statuses = {
        "clinicalStatus": beside("condition-clinical", clinical),
        "verificationStatus": beside("condition-ver-status", verification),
    }
    fact = condition("M54.50", **statuses)
    assert status_of({**LOW_BACK, "use": "eligibility"}, fact) == eligibility
    assert status_of({**LOW_BACK, "use": "safety"}, fact) == safety
    doubt = {**fact, "verificationStatus": {"coding": [OWN]}}
    assert status_of({**LOW_BACK, "use": "eligibility"}, doubt) in ("unknown", "not-met")


@pytest.mark.parametrize(
    ("more", "eligibility", "safety"),
    [
        ({"abatementDateTime": "2026-01-01", "clinicalStatus": None}, "not-met", "not-met"),
        ({"abatementDateTime": "2026-01-01"}, "unknown", "met"),
        ({"abatementDateTime": "2026-04-01", "clinicalStatus": "resolved"}, "unknown", "met"),
        ({"abatementDateTime": "2026-02-01", "clinicalStatus": "resolved"}, "not-met", "not-met"),
        ({"recordedDate": "2026-03-17"}, "not-met", "not-met"),
        ({"onsetDateTime": "2026-05"}, "not-met", "not-met"),
        ({"onsetDateTime": "2026-03"}, "met", "met"),
        ({"subject": {"reference": "Patient/another"}}, "not-met", "not-met"),
        ({"subject": {"reference": "https://x.example/fhir/Patient/p1"}}, "met", "met"),
        ({"clinicalStatus": {"text": "Active"}, "verificationStatus": None}, "met", "met"),
        ({"clinicalStatus": ["active"], "verificationStatus": 7}, "unknown", "met"),
        ({"code": "M54.50"}, "not-met", "not-met"),
        ({"code": {"text": "low back pain"}}, "not-met", "not-met"),
        ({"code": {"coding": {"system": ICD, "code": "M54.50"}}}, "met", "met"),
        ({"code": {"coding": [None, {"code": 5}, {"code": "M54.50"}]}}, "not-met", "not-met"),
    ],
)
def test_odd_and_dated(more: dict[str, Any], eligibility: str, safety: str) -> None:
    fact = {**condition("M54.50"), **more}
    if isinstance(more.get("clinicalStatus"), str):
        fact = condition("M54.50", **more)
    fact = {name: value for name, value in fact.items() if value is not None}
    assert status_of(LOW_BACK, fact) == eligibility
    assert status_of({**LOW_BACK, "use": "safety"}, fact) == safety


@pytest.mark.parametrize(
    ("onset", "spec", "expected"),
    [
        ("2025-12-16", {"older-than": 90}, "not-met"),
        ("2025-12-15", {"older-than": 90}, "met"),
        ("2025-12", {"older-than": 90}, "unknown"),
        ("2025", {"older-than": 90}, "unknown"),
        ("2024", {"older-than": 90}, "met"),
        (None, {"older-than": 90}, "unknown"),
        ("2026-02-14", {"within": 30}, "met"),
        ("2026-02-13", {"within": 30}, "not-met"),
        ("2026", {"within": 30}, "unknown"),
        ("2026-03", {"within": 30}, "met"),
        ("2026-02-20", {"from": 10, "to": 30}, "met"),
        ("2026-03-10", {"from": 10, "to": 30}, "not-met"),
        ("2026-03", {"from": 10, "to": 30}, "unknown"),
        ("yesterday", {"within": 30}, "unknown"),
        ("2026-03-15T23:30:00-08:00", {"within": 1}, "met"),
        ("2026-03-16T03:00:00Z", {"from": 1, "to": 1}, "met"),
    ],
)
def test_onset(onset: Any, spec: dict[str, Any], expected: str) -> None:
    assert status_of({**LOW_BACK, "onset": spec}, condition("M54.50", onsetDateTime=onset)) == (
        expected
    )


@pytest.mark.parametrize(
    ("dated_by", "expected"),
    [("onset-or-recorded", "met"), ("recorded", "met"), ("onset", "unknown")],
)
def test_recorded_stands_in_for_onset(dated_by: str, expected: str) -> None:
    fact = condition("M54.50", onsetDateTime=None, recordedDate="2026-03-01")
    spec = {**LOW_BACK, "onset": {"within": 30}, "dated-by": dated_by}
    assert status_of(spec, fact) == expected


@pytest.mark.parametrize(
    ("recorded", "spec", "expected"),
    [
        ("2026-03-01", {"older-than": 90}, "unknown"),
        ("2025-12-15", {"older-than": 90}, "met"),
        ("2026-03-01", {"within": 30}, "unknown"),
        (None, {"older-than": 90}, "unknown"),
    ],
)
def test_a_recording_bounds_the_onset(recorded: Any, spec: dict[str, Any], expected: str) -> None:
    asks = {**LOW_BACK, "onset": spec, "dated-by": "onset-by-recorded"}
    fact = condition("M54.50", onsetDateTime=None, recordedDate=recorded)
    assert status_of(asks, fact) == expected
    known = condition("M54.50", onsetDateTime="2026-03-01", recordedDate=recorded)
    assert status_of(asks, known) == ("met" if "within" in spec else "not-met")


VISIT = [{"coding": [{"code": "encounter-diagnosis"}]}]
LISTED = [{"coding": [{"code": "problem-list-item"}]}]
MET_ON = {"resourceType": "Encounter", "id": "e", "period": {"start": "2026-01-01"}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"category": LISTED}, "met"),
        ({"category": [*VISIT, *LISTED]}, "met"),
        ({"category": None}, "met"),
        ({"category": VISIT}, "not-met"),
        ({"category": VISIT, "recordedDate": "2026-02-14"}, "met"),
        ({"category": VISIT, "recordedDate": "2026-02-13"}, "not-met"),
        ({"category": VISIT, "recordedDate": "2026-02"}, "unknown"),
        ({"category": VISIT, "onsetDateTime": "2026-03-01", "recordedDate": "2020"}, "met"),
        ({"category": VISIT, "onsetDateTime": None}, "met"),
        (
            {
                "category": VISIT,
                "onsetDateTime": None,
                "encounter": {"reference": "Encounter/e"},
            },
            "not-met",
        ),
    ],
)
def test_a_diagnosis_of_an_encounter_alone_counts_for_so_many_days(
    more: dict[str, Any], expected: str
) -> None:
    spec = {**LOW_BACK, "use": "safety", "told-within": 30}
    context = context_of(condition("M54.50", **more), MET_ON)
    assert ask("condition", spec, context).status == expected
    assert ask("condition", {**LOW_BACK, "use": "safety"}, context).status == "met"


def test_onset_is_not_after_recording() -> None:
    fact = condition("M54.50", onsetDateTime="2026", recordedDate="2026-01-20")
    assert status_of({**LOW_BACK, "onset": {"within": 30}}, fact) == "not-met"


def test_onset_by_age() -> None:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1971-09-16"}
    at_forty = condition("M54.50", onsetDateTime=None, onsetAge={"value": 40, "code": "a"})
    now = condition("M54.50", onsetDateTime=None, onsetAge={"value": 54, "code": "a"})
    spec = {**LOW_BACK, "onset": {"older-than": 90}}
    assert status_of(spec, patient, at_forty) == "met"
    assert status_of(spec, patient, now) == "unknown"
    assert status_of(spec, at_forty) == "unknown"


def test_a_hole_is_not_an_absence() -> None:
    answer = ask("condition", LOW_BACK, context_of(holes=("conditions",)))
    assert answer.status == "unknown"
    assert [hole.key for hole in answer.holes] == ["conditions"]
    found = ask("condition", LOW_BACK, context_of(condition("M54.50"), holes=("conditions",)))
    assert found.status == "met"
    assert status_of(LOW_BACK, holes=("medications",)) == "not-met"


def test_findings_carry_the_evidence() -> None:
    suspected = condition(
        "I82.401",
        text="Clot of left lower leg",
        verificationStatus="provisional",
        onsetDateTime="2026-03",
    )
    (finding,) = ask(
        "condition", {"in": ["blood-clot"], "use": "safety"}, context_of(suspected)
    ).findings
    assert (finding.reference, finding.date, finding.value) == (
        "Condition/c1",
        "2026-03",
        "I82.401",
    )
    assert finding.text == "Clot of left lower leg"
    assert (finding.regions, finding.side) == (frozenset({"lower-leg"}), "left")
    assert finding.suspected
    assert finding.day is not None
    assert finding.day.isoformat() == "2026-03-16"
    assert "blood-clot" in finding.value_sets


def test_what_does_not_satisfy_is_still_told() -> None:
    answer = ask("condition", LOW_BACK, context_of(condition("M54.50", clinicalStatus="resolved")))
    assert [finding.reference for finding in answer.findings] == ["Condition/c1"]


@pytest.mark.parametrize(
    ("text", "site", "expected"),
    [
        ("pain of left lower leg", "left lower leg", "met"),
        ("pain of left lower leg", "right lower leg", "not-met"),
        ("pain of lower leg", "right lower leg", "met"),
        ("pain of left lower leg", "neck", "not-met"),
        ("pain", "neck", "unknown"),
        ("pain of left lower leg", None, "unknown"),
        ("pain of left lower leg", "somewhere", "unknown"),
    ],
)
def test_at_the_ordered_site(text: str, site: str | None, expected: str) -> None:
    signed = order(bodySite=[concept(None, site)] if site else None)
    spec = {**LOW_BACK, "at": "ordered-site"}
    assert status_of(spec, condition("M54.50", text=text), orders=[signed]) == expected


@pytest.mark.parametrize(
    ("reasons", "site", "expected"),
    [
        pytest.param([concept("S82.61XA")], None, "met", id="the-reason-itself"),
        pytest.param([concept("M25.571")], None, "met", id="same-place"),
        pytest.param([concept("M25.572")], None, "not-met", id="other-side"),
        pytest.param([concept("M54.2")], None, "not-met", id="elsewhere"),
        pytest.param([concept("M54.2"), concept("M25.571")], None, "met", id="one-of-two"),
        pytest.param([concept("M54.2"), concept("G89.29")], None, "unknown", id="one-placeless"),
        pytest.param([concept("M54.2"), concept(None, "pain")], None, "unknown", id="one-in-words"),
        pytest.param([concept("M79.7")], None, "unknown", id="whole-body"),
        pytest.param([], None, "unknown", id="no-reason"),
        pytest.param([concept("M25.571")], "neck", "not-met", id="the-site-goes-first"),
    ],
)
def test_an_order_without_a_site_treats_where_its_reasons_are(
    reasons: list[dict[str, Any]], site: str | None, expected: str
) -> None:
    signed = order(reasonCode=reasons, bodySite=[concept(None, site)] if site else None)
    made = LEAVES["condition"].make({"in": ["fracture"], "at": "ordered-site"})
    assert made(context(condition("S82.61XA"), orders=(signed,))).status.value == expected


def test_body_site_goes_before_the_code() -> None:
    fact = condition("M54.50", text="low back", bodySite=[concept(None, "neck")])
    (read,) = facts_of(fact).of(Conditions).facts
    assert read.regions == {"neck"}


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ("2026-01-10", "not-met"),
        ("2025-06-01", "not-met"),
        ("2025-05-31", "met"),
        ("2024-06-01", "met"),
        ("2025", "met"),
        (None, "met"),
    ],
)
def test_a_later_diagnosis_ends_an_earlier_one(later: str | None, expected: str) -> None:
    end = condition("M54.2", "c2", onsetDateTime=later)
    spec = {"in": "low-back-pain", "use": "safety", "ended-by": "neck-pain"}
    assert status_of(spec, condition("M54.50", onsetDateTime="2025-06-01"), end) == expected


def test_cause() -> None:
    due = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo",
        "valueCodeableConcept": concept("Y99.0"),
    }
    spec = {**LOW_BACK, "caused-by": "work-related-cause"}
    assert status_of(spec, condition("M54.50", extension=[due])) == "met"
    assert status_of(spec, condition("M54.50", extension=[{"url": "other"}, None])) == "not-met"


def test_cause_by_reference() -> None:
    due = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-dueTo",
        "valueReference": {"reference": "Condition/cause"},
    }
    spec = {**LOW_BACK, "caused-by": "work-related-cause"}
    cause = condition("Y99.0", "cause")
    assert status_of(spec, condition("M54.50", extension=[due]), cause) == "met"


TOLD = {"category": [concept("encounter-diagnosis", None, "urn:s")], "recordedDate": ago(20)}
CLOSED = {"clinicalStatus": "resolved", "abatementDateTime": ago(10)}


@pytest.mark.parametrize(
    ("told", "other", "expected"),
    [
        ({}, CLOSED, "not-met"),
        ({}, CLOSED | {"abatementDateTime": ago(20)}, "not-met"),
        ({}, CLOSED | {"abatementDateTime": ago(21)}, "met"),
        ({}, CLOSED | {"abatementDateTime": "2026"}, "met"),
        ({}, CLOSED | TOLD, "met"),
        ({"category": []}, CLOSED, "met"),
        ({}, {"verificationStatus": "refuted", "recordedDate": ago(1)}, "met"),
    ],
)
def test_an_encounter_s_diagnosis_ends_with_that_of_the_problem_list(
    told: dict[str, Any], other: dict[str, Any], expected: str
) -> None:
    both = (condition("M54.50", **TOLD | told), condition("M54.50", "c2", **other))
    assert status_of({**LOW_BACK, "use": "safety"}, *both) == expected


@pytest.mark.parametrize(
    ("refuted", "expected"),
    [
        ({"recordedDate": ago(20)}, "not-met"),
        ({"recordedDate": ago(21)}, "met"),
        ({"recordedDate": None}, "met"),
        ({"recordedDate": ago(-1)}, "met"),
    ],
)
def test_a_suspicion_ends_where_it_is_ruled_out(refuted: dict[str, Any], expected: str) -> None:
    suspected = condition("M54.50", verificationStatus="provisional", recordedDate=ago(20))
    denied = condition("M54.50", "c2", verificationStatus="refuted", **refuted)
    assert status_of({**LOW_BACK, "use": "safety"}, suspected, denied) == expected


def test_what_settles_diagnoses_is_compared_once_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts of thousands of visits tell of one diagnosis again and again."""
    asked = []
    agrees = diagnoses._Kind.agrees
    monkeypatch.setattr(
        diagnoses._Kind, "agrees", lambda one, other: asked.append(one) or agrees(one, other)
    )
    many = range(60)
    denied = [condition("M54.50", f"d{n}", verificationStatus="refuted") for n in many]
    open_ = [condition("M54.50", f"s{n}", verificationStatus="provisional") for n in many]
    found = Conditions(context_of(*denied, *open_).facts)
    assert (len(found.facts), len(found.refuted)) == (0, 120)
    assert len(asked) == 60


def coded(code: str, system: str = ICD) -> dict[str, Any]:
    return order(reasonCode=[concept(code, None, system)])


@pytest.mark.parametrize(
    ("signed", "on_file", "expected"),
    [
        (coded("M54.50"), [], "met"),
        (coded("M54.50"), [condition("M54.50", clinicalStatus="resolved")], "not-met"),
        (coded("M54.5"), [condition("M54.50", clinicalStatus="resolved")], "not-met"),
        (coded("M54.59"), [condition("M54.50", clinicalStatus="resolved")], "not-met"),
        (coded("M54.50"), [condition("M54.50", verificationStatus="refuted")], "not-met"),
        (coded("M54.50"), [condition("M54.50", verificationStatus="provisional")], "unknown"),
        (coded("M54.50"), [condition("M54.2", clinicalStatus="resolved")], "met"),
        (coded("279039007", SNOMED), [condition("M54.50", clinicalStatus="resolved")], "not-met"),
        (order(), [], "not-met"),
        (order(reasonCode=[{"text": "sore back"}]), [], "unknown"),
        (order(reasonReference=[{"reference": "Condition/lost"}]), [], "unknown"),
        (order(reasonReference=[{"reference": "Condition/c1"}]), [condition("M54.50")], "met"),
        (order(reasonReference=[{"reference": "Condition/c1"}]), [condition("M54.2")], "not-met"),
    ],
)
def test_reason_on_file_or_stated(
    signed: dict[str, Any], on_file: list[dict[str, Any]], expected: str
) -> None:
    assert status_of({**LOW_BACK, "role": "reason"}, *on_file, orders=[signed]) == expected


def test_a_stated_reason_points_to_the_order_and_has_no_onset() -> None:
    context = context_of(orders=[coded("M54.50")])
    (finding,) = ask("condition", LOW_BACK, context).findings
    assert (finding.reference, finding.value) == ("ServiceRequest/o1", "M54.50")
    assert status_of({**LOW_BACK, "onset": {"within": 30}}, orders=[coded("M54.50")]) == "unknown"


def test_a_diagnosis_that_is_no_reason_does_not_play_that_role() -> None:
    other = condition("M54.50")
    assert status_of({**LOW_BACK, "role": "reason"}, other, orders=[coded("M54.2")]) == "not-met"
    assert status_of(LOW_BACK, other, orders=[coded("M54.2")]) == "met"


def test_a_contained_reason_counts() -> None:
    signed = order(contained=[condition("M54.50", "k")], reasonReference=[{"reference": "#k"}])
    answer = ask("condition", {**LOW_BACK, "role": "reason"}, context_of(orders=[signed]))
    assert answer.status == "met"
    assert answer.findings[0].reference == "ServiceRequest/o1#k"


@pytest.mark.parametrize(
    ("spec", "signed", "on_file", "expected"),
    [
        ({"coded": True}, coded("M54.50"), [], "met"),
        ({"coded": True}, order(reasonCode=[{"text": "back"}]), [], "not-met"),
        ({"coded": True}, order(), [], "not-met"),
        ({"coded": True}, order(reasonReference=[{"reference": "Condition/x"}]), [], "unknown"),
        (
            {"coded": True},
            order(reasonReference=[{"reference": "Condition/c1"}]),
            [condition("M54.50")],
            "met",
        ),
        ({"coded": True, "on-file": True}, coded("M54.50"), [condition("M54.50")], "met"),
        ({"coded": True, "on-file": True}, coded("M54.50"), [], "not-met"),
        ({"on-file": True}, order(reasonReference=[{"reference": "Condition/x"}]), [], "unknown"),
        ({"in": "stress"}, coded("Z73.3"), [], "met"),
        ({"in": "stress"}, coded("M54.50"), [], "not-met"),
        ({"in": "stress"}, order(reasonCode=[{"text": "stress"}]), [], "unknown"),
        ({"only-in": "stress"}, coded("Z73.3"), [], "met"),
        ({"only-in": "stress"}, order(), [], "not-met"),
        (
            {"only-in": "stress"},
            order(reasonCode=[concept("Z73.3"), concept("M54.50")]),
            [],
            "not-met",
        ),
        (
            {"only-in": "stress"},
            order(reasonCode=[concept("Z73.3"), {"text": "and more"}]),
            [],
            "unknown",
        ),
        (
            {"inactive": True},
            coded("F33.42"),
            [condition("F33.42", clinicalStatus="remission")],
            "met",
        ),
        ({"inactive": True}, coded("F33.42"), [condition("F33.42")], "not-met"),
        ({"inactive": True}, coded("F33.42"), [], "not-met"),
        (
            {"inactive": True, "in": "anxiety"},
            coded("F33.42"),
            [condition("F33.42", clinicalStatus="remission")],
            "not-met",
        ),
    ],
)
def test_reason(
    spec: dict[str, Any], signed: dict[str, Any], on_file: list[dict[str, Any]], expected: str
) -> None:
    assert ask("reason", spec, context_of(*on_file, orders=[signed])).status == expected


@pytest.mark.parametrize("use", ["eligibility", "safety"])
def test_a_stated_reason_may_be_contradicted_by_what_was_not_read(use: str) -> None:
    spec = {**LOW_BACK, "use": use}
    answer = ask("condition", spec, context_of(orders=[coded("M54.50")], holes=("conditions",)))
    assert (answer.status, len(answer.findings)) == ("unknown", 1)


def test_reason_on_file_with_a_hole() -> None:
    context = context_of(orders=[coded("M54.50")], holes=("conditions",))
    assert ask("reason", {"coded": True}, context).status == "met"
    answer = ask("reason", {"on-file": True}, context)
    assert (answer.status, answer.holes[0].key) == ("unknown", "conditions")


def test_notes_on_what_was_left_out() -> None:
    facts = facts_of(condition("M54.50", recordedDate="2027-01-01"))
    assert "Condition/c1" in facts.of(Conditions).notes[0]


def uncoded(name: str, **more: Any) -> dict[str, Any]:
    return condition("", name, **more) | {"code": {"text": name}}


def test_notes_on_what_no_rule_can_know() -> None:
    clot = uncoded("Clot in the right leg")
    local = condition("DX-7", "c2", text="Bone pain", system="http://ehr.example.org/dx")
    facts = facts_of(
        clot, local, condition("M54.50", "c3"), uncoded("Flu", clinicalStatus="resolved")
    )
    (note,) = facts.of(Conditions).notes
    assert note.endswith("held against no rule: Clot in the right leg, Bone pain")
    many = facts_of(*(uncoded(f"Pain {place}") for place in range(5)))
    assert many.of(Conditions).notes[0].endswith("Pain 0, Pain 1, Pain 2 and 2 more")


def test_left_out_by_another_value_set() -> None:
    spec = {"in": "musculoskeletal-pain", "not-in": ["neck-pain"]}
    assert status_of(spec, condition("M54.2")) == "not-met"
    assert status_of(spec, condition("M54.50")) == "met"


def test_a_reason_in_words_is_no_finding_for_safety() -> None:
    drafted = {"resourceType": "ServiceRequest", "id": "o", "status": "draft"}
    drafted["reasonCode"] = [{"text": "pain all over"}]
    drafted["code"] = {"coding": [{"system": CPT, "code": "97124"}]}
    asked: dict[str, Any] = {"in": ["injury"], "role": "reason"}
    told = LEAVES["condition"].make(asked)(context(orders=(drafted,)))
    assert (told.status.value, len(told.findings)) == ("unknown", 1)
    told = LEAVES["condition"].make({**asked, "use": "safety"})(context(orders=(drafted,)))
    assert (told.status.value, told.findings) == ("unknown", ())


def test_a_diagnosis_dated_after_the_order_is_left_out_by_name() -> None:
    later = condition("M54.50", "c9", text="Low back pain", onsetDateTime="2026-04-01")
    found = context_of(later).facts.of(Conditions)
    assert not found.facts
    (note,) = found.notes
    assert note == ("Low back pain (Condition/c9) bears a date after the order's and is left out.")
