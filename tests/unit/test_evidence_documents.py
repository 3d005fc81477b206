"""Documents by type, content, signature and date (G-18)."""

from __future__ import annotations

import pytest

from cds_service.evidence import documents  # noqa: F401
from tests.unit.evidence_help import BASE, ICD, LOINC, ago, ask, coded, odd, status, visit

CONTENT = f"{BASE}/CodeSystem/document-content"


def note(day, *content, loinc="11506-3", signed="final", **more):
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": signed,
        "type": coded(loinc, LOINC),
        "category": [coded(one, CONTENT) for one in content],
        "date": f"{day}T17:00:00Z" if day else None,
        "context": {"period": {"start": day, "end": day}},
        **more,
    }


def asks(spec, *resources, **about):
    return status("document", spec, *resources, **about)


def test_type_by_loinc_code_and_by_value_set():
    assert asks({"type": ["11506-3"]}, note(ago(1))) == "met"
    assert asks({"type": ["progress-note"]}, note(ago(1))) == "met"
    assert asks({"type": ["letter"]}, note(ago(1))) == "not-met"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (("subjective-findings", "objective-findings"), "met"),
        (("objective-findings",), "not-met"),
        ((), "unknown"),
    ],
)
def test_all_of_the_content_must_be_there_and_without_codes_it_cannot_be_told(content, found):
    spec = {"type": "11506-3", "content": ["subjective-findings", "objective-findings"]}
    assert asks(spec, note(ago(1), *content)) == found


def test_categories_of_other_systems_tell_nothing_about_the_content():
    plain = note(ago(1), category=[coded("clinical-note", "urn:us-core")])
    assert asks({"content": "objective-findings"}, plain) == "unknown"


@pytest.mark.parametrize(
    ("signed", "found"),
    [("final", "met"), ("amended", "met"), ("preliminary", "not-met"), (None, "unknown")],
)
def test_signed(signed, found):
    assert asks({"type": "11506-3", "signed": True}, note(ago(1), signed=signed)) == found
    assert asks({"type": "11506-3"}, note(ago(1), signed=signed)) == "met"


@pytest.mark.parametrize("state", ["superseded", "entered-in-error", None])
def test_only_current_documents_count(state):
    assert asks({"type": "11506-3"}, note(ago(1), status=state)) == "not-met"


@pytest.mark.parametrize(
    ("day", "found"), [(ago(30), "met"), (ago(31), "not-met"), (ago(-1), "not-met")]
)
def test_age(day, found):
    assert asks({"type": "11506-3", "within": 30}, note(day)) == found


def test_the_date_is_that_of_the_care_described_and_else_of_the_document():
    spec = {"type": "11506-3", "within": 30}
    assert asks(spec, note(ago(40), date=f"{ago(1)}T17:00:00Z")) == "not-met"
    assert asks(spec, note(ago(1), context=None)) == "met"
    assert asks(spec, note(None, context=None)) == "unknown"


@pytest.mark.parametrize(("age", "found"), [(9, "met"), (10, "not-met"), (11, "not-met")])
def test_since_the_first_visit(age, found):
    assert asks({"type": "11506-3", "since": "anchor"}, note(ago(age)), visit(ago(10))) == found


def test_nothing_is_since_the_first_visit_before_there_is_one():
    assert asks({"type": "11506-3", "since": "anchor"}, note(ago(1))) == "not-met"


EACH = {
    "type": "11506-3",
    "content": ["subjective-findings", "objective-findings"],
    "signed": True,
    "each-visit": True,
}
BOTH = ("subjective-findings", "objective-findings")


def test_a_note_for_each_visit():
    visits = [visit(ago(14)), visit(ago(7))]
    assert asks(EACH, *visits, note(ago(14), *BOTH), note(ago(7), *BOTH)) == "met"
    missing = ask("document", EACH, *visits, note(ago(14), *BOTH))
    assert missing.status == "not-met"
    assert [finding.date for finding in missing.findings] == [ago(7)]
    assert asks(EACH, *visits, note(ago(14), *BOTH), note(ago(7))) == "unknown"
    assert asks(EACH, *visits, note(ago(14), *BOTH), note(ago(7), BOTH[0])) == "not-met"
    assert asks(EACH, *visits, unread=("documents",)) == "unknown"
    assert asks(EACH) == "not-met"


def test_two_documents_of_one_day_are_read_together():
    record = [visit(ago(7)), note(ago(7), BOTH[0]), note(ago(7), BOTH[1])]
    assert asks(EACH, *record) == "met"


def test_what_a_document_is_about():
    pregnant = {
        "resourceType": "Condition",
        "id": "pregnant",
        "code": coded("Z34.02", ICD),
    }
    consult = note(ago(1), loinc="11488-4")
    related = {**consult, "context": {"related": [{"reference": "Condition/pregnant"}]}}
    event = {**consult, "context": {"event": [coded("I82.401", ICD)]}}
    spec = {"type": "11488-4", "about": ["pregnancy"]}
    assert asks(spec, pregnant, related) == "met"
    assert asks(spec, consult) == "unknown"
    assert asks(spec, event) == "not-met"


def test_evidence_and_holes():
    written = note(ago(1), "x-y", id="d")
    (finding,) = ask("document", {"type": "11506-3"}, written).findings
    assert (finding.reference, finding.date) == ("DocumentReference/d", ago(1))
    assert finding.value == "with x y"
    assert finding.text
    assert asks({"type": "11506-3"}, unread=("documents",)) == "unknown"
    assert asks({"type": "11506-3"}, note(ago(1)), unread=("documents",)) == "met"
    assert asks({"type": "11506-3"}, unread=("procedures",)) == "not-met"


def test_odd_documents_cost_only_themselves():
    names = ("status", "docStatus", "type", "category", "date", "context")
    record = odd("DocumentReference", *names)
    for one in record:
        one.setdefault("status", "current")
    spec = {"type": "11506-3", "content": "x", "signed": True, "within": 30, "about": ["pain"]}
    assert asks(spec, *record) == "not-met"
    assert asks({**EACH, "since": "anchor"}, *record, visit(ago(3))) == "not-met"


def test_coded_leaves_out_what_names_no_content():
    spec = {"content": ["complex-condition"]}
    assert asks(spec, note(ago(1))) == "unknown"
    assert asks({**spec, "coded": True}, note(ago(1))) == "not-met"
    known = note(ago(1), "complex-condition")
    assert asks({**spec, "coded": True}, known) == "met"
