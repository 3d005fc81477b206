"""Prefetch templates, and the five states of a prefetch value."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cds_service.record.prefetch import State, judge, supplies_of
from cds_service.record.queries import catalogue, prefetch_templates
from cds_service.terminology.measures import read_catalogue

CONDITION = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


def bundle(*entries: Any, **rest: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **rest}


def entry(resource: Any, mode: str = "match") -> dict[str, Any]:
    return {"resource": resource, "search": {"mode": mode}}


NEXT = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "Condition?page=2"}]
NOTE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "not-found"}],
}


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (bundle(entry(CONDITION)), State.SUPPLIED),
        (bundle(entry(CONDITION), total=1), State.SUPPLIED),
        (bundle({"resource": CONDITION}, None, 5, {"resource": "x"}), State.SUPPLIED),
        (bundle(entry(CONDITION), entry(NOTE, "outcome")), State.SUPPLIED),
        (None, State.EMPTY),
        (bundle(), State.EMPTY),
        ({"resourceType": "Bundle"}, State.EMPTY),
        (bundle(entry(NOTE, "outcome")), State.EMPTY),
        ({}, State.ABSENT),
        ("Condition", State.ABSENT),
        ([CONDITION], State.ABSENT),
        ({"resourceType": "Patient", "id": "p1"}, State.ABSENT),
        ({"resourceType": "Bundle", "entry": {"resource": CONDITION}}, State.ABSENT),
        (bundle(None, 5), State.ABSENT),
        (bundle(entry({"resourceType": "Patient", "id": "p1"})), State.ABSENT),
        (OUTCOME, State.ERROR),
        ({"resourceType": "OperationOutcome"}, State.ERROR),
        (bundle(entry(OUTCOME, "outcome")), State.ERROR),
        (bundle(entry(CONDITION), {"resource": OUTCOME}), State.ERROR),
        (bundle({"search": {"mode": "outcome"}}), State.ERROR),
        (bundle(entry(CONDITION), link=NEXT), State.INCOMPLETE),
        (bundle(entry(CONDITION), total=2), State.INCOMPLETE),
        (bundle(total=2), State.INCOMPLETE),
        (CONDITION, State.INCOMPLETE),
        (bundle(entry(CONDITION), entry({"resourceType": "Organization"}, "include"), total=2),
         State.INCOMPLETE),
        (bundle(entry(CONDITION), total=True, link="next"), State.SUPPLIED),
        (bundle(entry(CONDITION | {"meta": {"tag": [{"code": "SUBSETTED"}]}})), State.INCOMPLETE),
        (bundle(entry(CONDITION | {"meta": {"tag": {"code": 1}}})), State.SUPPLIED),
    ],
)  # fmt: skip
def test_state_of_a_prefetch_value(value: Any, state: State):
    assert judge(catalogue().queries["conditions"], value).state is state


def test_a_read_cannot_be_empty():
    patient = catalogue().queries["patient"]
    assert judge(patient, None).state is State.ABSENT
    assert judge(patient, bundle()).state is State.ABSENT
    found = bundle(entry({"resourceType": "Patient", "id": "p1"}))
    assert judge(patient, found).state is State.SUPPLIED
    assert judge(patient, {"resourceType": "Patient", "id": "p1"}).state is State.SUPPLIED


def test_an_error_keeps_its_reason_and_the_data_beside_it():
    supply = judge(catalogue().queries["conditions"], bundle(entry(CONDITION), entry(OUTCOME)))
    assert supply.reason == "timeout"
    assert [e["resource"]["id"] for e in supply.entries] == ["c1"]


@pytest.mark.parametrize("code", [None, 5, "Patient p1 is locked", "x" * 80, "abara"])
def test_a_reason_is_an_issue_code_or_just_error(code: Any):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": code}, "odd"]}
    assert judge(catalogue().queries["conditions"], outcome).reason == "error"


def test_where_an_incomplete_value_goes_on():
    supply = judge(catalogue().queries["conditions"], bundle(entry(CONDITION), link=NEXT))
    assert (supply.next_url, supply.matches) == ("Condition?page=2", 1)


def test_unknown_keys_and_odd_prefetch_are_ignored():
    assert supplies_of({"weather": bundle(entry(CONDITION))}) == {}
    assert supplies_of([1, 2]) == supplies_of(None) == {}


def test_templates_hold_what_every_client_can_resolve():
    templates = prefetch_templates()
    assert set(templates) >= {"patient", "conditions", "measures"}
    for template in templates.values():
        assert set(re.findall(r"{{(.*?)}}", template)) == {"context.patientId"}
        names = re.findall(r"[?&]([^=]+)=", template)
        assert len(names) == len(set(names))
        assert set(names) <= {"patient", "code", "category", "_include"}
        assert "|" not in template


def test_blood_pressure_is_asked_by_panel_and_components():
    vitals = prefetch_templates()["vitals"]
    assert {"85354-9", "8480-6", "8462-4"} <= set(vitals.split("code=")[1].split(","))


def test_every_measure_is_asked_for_once():
    asked = [
        code
        for key in ("measures", "vitals")
        for code in prefetch_templates()[key].split("code=")[1].split(",")
    ]
    measures = read_catalogue().measures.values()
    known = {code for measure in measures for _, code in measure.codes}
    assert known <= set(asked)
    assert len(asked) == len(set(asked))
    assert {"72514-3", "97909-6", "pain-days-per-week", "62337-1", "777-3", "82810-3"} <= set(asked)


def test_the_patient_id_is_escaped_in_queries_and_absent_from_labels():
    queries = catalogue().queries.values()
    assert queries
    for query in queries:
        forms = query.forms("a/b&c")
        assert forms
        assert all("a%2Fb%26c" in form for form in forms)
        assert query.label.startswith(query.resource_type)
