"""Forms and the safety screen."""

from __future__ import annotations

import pytest

from cds_service.evidence import forms  # noqa: F401
from tests.unit.evidence_help import BASE, ago, ask, odd, status


def response(day, answers, status="completed", name="massage-functional-status", **more):
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{BASE}/Questionnaire/{name}|1.0.0",
        "status": status,
        "authored": day,
        "item": [{"linkId": link, **_answer(value)} for link, value in answers.items()],
        **more,
    }


def _answer(value):
    if value is None:
        return {}
    if isinstance(value, str):
        return {"answer": [{"valueCoding": {"system": f"{BASE}/CodeSystem/x", "code": value}}]}
    return {"answer": [{"valueBoolean": value}]}


def asks(spec, *resources, **about):
    spec = {"questionnaire": "massage-functional-status", **spec}
    return status("form", spec, *resources, **about)


TWO = {"item": ["a", "b"]}


@pytest.mark.parametrize(
    ("answers", "yes", "no", "any_", "every"),
    [
        ({"a": True, "b": False}, "met", "not-met", "met", "met"),
        ({"a": False, "b": False}, "not-met", "met", "met", "met"),
        ({"a": "yes", "b": "no"}, "met", "not-met", "met", "met"),
        ({"a": False, "b": None}, "not-met", "not-met", "met", "not-met"),
        ({"a": False}, "not-met", "not-met", "met", "not-met"),
        ({"a": False, "b": "unknown"}, "not-met", "not-met", "met", "not-met"),
        ({"a": None, "b": None}, "not-met", "not-met", "not-met", "not-met"),
        ({}, "not-met", "not-met", "not-met", "not-met"),
    ],
)
def test_answers(answers, yes, no, any_, every):
    form = response(ago(1), answers)
    assert asks({**TWO, "answer": "yes"}, form) == yes
    assert asks({**TWO, "answer": "no"}, form) == no
    assert asks({**TWO, "answer": "any"}, form) == any_
    assert asks({**TWO, "all-answered": True}, form) == every


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("completed", "met"),
        ("amended", "met"),
        ("in-progress", "not-met"),
        ("stopped", "not-met"),
        (None, "not-met"),
    ],
)
def test_only_completed_forms_count(state, found):
    assert asks({"item": "a", "answer": "yes"}, response(ago(1), {"a": True}, state)) == found


def test_the_newest_form_alone_counts():
    old, new = response(ago(9), {"a": True}), response(ago(2), {"a": False})
    assert asks({"item": "a", "answer": "yes"}, old, new) == "not-met"
    assert asks({"item": "a", "answer": "no"}, new, old) == "met"


def test_of_one_day_the_form_changed_last_counts():
    first = response(ago(2), {"a": True}, meta={"lastUpdated": "2026-03-14T09:00:00Z"})
    last = response(ago(2), {"a": False}, meta={"lastUpdated": "2026-03-14T18:00:00Z"})
    assert asks({"item": "a", "answer": "no"}, last, first) == "met"


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (ago(30), "met"),
        (ago(31), "not-met"),
        (ago(-1), "not-met"),
        ("2026-02", "unknown"),
        (None, "unknown"),
    ],
)
def test_age(day, found):
    assert asks({"item": "a", "answer": "yes", "within": 30}, response(day, {"a": True})) == found


def test_a_form_is_known_with_and_without_version_and_by_its_whole_canonical():
    form = response(ago(1), {"a": True})
    form["questionnaire"] = "https://site.example.org/Questionnaire/massage-functional-status"
    assert asks({}, form) == "met"
    whole = {"questionnaire": form["questionnaire"]}
    assert status("form", whole, form) == "met"
    assert status("form", {"questionnaire": "other"}, form) == "not-met"


def test_nested_items_are_read():
    form = response(ago(1), {})
    form["item"] = [
        {
            "linkId": "g",
            "item": [
                {
                    "linkId": "a",
                    "answer": [
                        {
                            "valueBoolean": True,
                            "item": [{"linkId": "b", "answer": [{"valueBoolean": False}]}],
                        }
                    ],
                }
            ],
        }
    ]
    assert asks({"item": "a", "answer": "yes"}, form) == "met"
    assert asks({"item": "b", "answer": "no"}, form) == "met"


def test_evidence_names_form_date_item_and_answer():
    (finding,) = ask(
        "form",
        {"questionnaire": "massage-functional-status", "item": ["a", "b"], "answer": "yes"},
        response(ago(1), {"a": False, "b": True}, id="f"),
    ).findings
    assert (finding.reference, finding.date) == ("QuestionnaireResponse/f", ago(1))
    assert f"{finding.text} {finding.value}" == "Functional status form says b: yes"


def test_an_unread_query_is_unknown_unless_the_answer_was_found():
    spec = {"item": "a", "answer": "yes"}
    assert asks(spec, unread=("responses",)) == "unknown"
    assert asks(spec, response(ago(1), {"a": True}), unread=("responses",)) == "met"
    assert asks(spec, response(ago(1), {"a": False}), unread=("conditions",)) == "not-met"


@pytest.mark.parametrize(
    ("day", "answer", "found"),
    [
        (ago(30), "yes", "met"),
        (ago(31), "yes", "not-met"),
        (ago(1), "no", "not-met"),
        (ago(1), "unknown", "not-met"),
    ],
)
def test_the_safety_screen_counts_for_thirty_days(day, answer, found):
    form = response(day, {"EV-RF31": answer}, name="massage-safety-screen")
    assert status("screen", {"item": "EV-RF31", "answer": "yes"}, form) == found


def test_odd_forms_cost_only_themselves():
    record = odd("QuestionnaireResponse", "questionnaire", "status", "item", "authored", "meta")
    for one in record:
        one.setdefault("status", "completed")
        one.setdefault("questionnaire", "massage-functional-status")
    deep = response(ago(1), {})
    deep["item"] = [
        {"linkId": 4, "answer": 7},
        {"linkId": "a", "answer": [{"valueQuantity": []}]},
        {"linkId": "b", "answer": [{"valueCoding": {"code": 5}}, {}, None]},
    ]
    assert asks({"item": "z", "answer": "yes"}, *record, deep) == "not-met"
