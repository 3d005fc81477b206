"""PROMIS-29 scored from single answers."""

import json
from fractions import Fraction

import pytest

from cds_service.terminology import promis
from tests.shared import SHARED, needs_shared

PHYSICAL = ("61597-1", "61607-8", "61609-4", "61635-9")
SOCIAL = ("76709-5", "75417-6", "76708-7", "76712-9")
SATISFACTION = ("62041-9", "62046-8", "62050-0", "62051-8")
MUCH_DIFFICULTY, LITTLE_DIFFICULTY = "LA13919-8", "LA13918-0"
NEVER, OFTEN = "LA6270-8", "LA10044-8"


def coded(code):
    return {"valueCoding": {"system": "http://loinc.org", "code": code}}


def scored(answers):
    return {score.measure: score for score in promis.score(answers)}


def test_four_answers_make_a_sum_and_a_t_score():
    (score,) = promis.score({item: coded(MUCH_DIFFICULTY) for item in PHYSICAL})
    assert score.measure == "promis-physical-function"
    assert (score.raw, score.t, score.se) == (8, Fraction("31.9"), Fraction("2.3"))


def test_a_domain_with_an_item_missing_is_not_scored():
    answers = {item: coded(MUCH_DIFFICULTY) for item in PHYSICAL[:3]}
    assert promis.score(answers) == ()
    assert promis.missing(answers) == {"promis-physical-function": (PHYSICAL[3],)}


def test_an_answer_of_another_list_is_missing():
    answers = {item: coded(MUCH_DIFFICULTY) for item in PHYSICAL} | {PHYSICAL[0]: coded(NEVER)}
    assert promis.score(answers) == ()
    assert promis.missing(answers) == {"promis-physical-function": (PHYSICAL[0],)}


def test_social_items_count_backwards():
    assert scored({item: coded(NEVER) for item in SOCIAL})["promis-social-participation"].raw == 20
    assert scored({item: coded(OFTEN) for item in SOCIAL})["promis-social-participation"].raw == 8


def test_good_sleep_counts_backwards():
    answers = {
        "61987-4": coded("LA13913-1"),
        "61986-6": coded("LA13914-9"),
        "61998-1": coded("LA6568-5"),
        "61999-9": coded("LA6568-5"),
    }
    assert scored(answers)["promis-sleep-disturbance"].raw == 4


def test_the_social_items_tell_the_version_of_physical_function():
    physical = {item: coded(MUCH_DIFFICULTY) for item in PHYSICAL}
    first = physical | {item: coded(LITTLE_DIFFICULTY) for item in SATISFACTION}
    second = physical | {item: coded(NEVER) for item in SOCIAL}
    assert scored(first)["promis-physical-function"].t == Fraction("32.1")
    assert scored(second)["promis-physical-function"].t == Fraction("31.9")
    versions = {scored(one)["promis-physical-function"].version for one in (first, second)}
    assert versions == {"v1", "v2"}


def test_version_one_social_satisfaction_cannot_be_scored():
    answers = {item: coded("LA13909-9") for item in SATISFACTION}
    assert promis.score(answers) == ()
    assert promis.missing(answers) == {"promis-social-satisfaction-v1": ()}


@pytest.mark.parametrize(
    "answer",
    [
        "LA13919-8",
        {"valueCodeableConcept": {"coding": [{"code": "LA13919-8"}]}},
        {"valueCodeableConcept": {"text": "With much difficulty"}},
        {"valueString": "with  much difficulty."},
        {"valueInteger": 2},
        {"valueDecimal": 2.0},
        {"valueQuantity": {"value": 2}},
        {"valueCoding": {"code": "x", "display": "With much difficulty"}},
        {
            "valueCoding": {
                "code": "x",
                "extension": [{"url": "http://x/ordinalValue", "valueDecimal": 2}],
            }
        },
    ],
)
def test_answers_are_read_in_many_forms(answer):
    (score,) = promis.score(dict.fromkeys(PHYSICAL, answer))
    assert score.raw == 8


@pytest.mark.parametrize(
    "answer",
    [None, [], 3, {}, {"valueInteger": 9}, {"valueBoolean": True}, {"valueCoding": "LA13919-8"}],
)
def test_odd_answers_are_missing(answer):
    assert promis.score(dict.fromkeys(PHYSICAL, answer)) == ()


def test_a_number_for_a_reversed_item_is_not_trusted():
    assert promis.score({item: {"valueInteger": 5} for item in SOCIAL}) == ()


def test_items_are_known():
    assert promis.is_item("61597-1")
    assert not promis.is_item("61583-1")
    assert not promis.is_item("72514-3")


@needs_shared
def test_a_worked_case_of_single_answers():
    entries = json.loads((SHARED / "cases/CCA-19.json").read_text())["record"]["entry"]
    forms = [
        entry["resource"]
        for entry in entries
        if entry["resource"].get("questionnaire", "").startswith("http://loinc.org/q/62337-1")
    ]
    forms.sort(key=lambda form: form["authored"])
    scores = [scored({i["linkId"]: i["answer"][0] for i in form["item"]}) for form in forms]
    assert [int(one["promis-physical-function"].raw) for one in scores] == [8, 10, 13]
    assert [int(one["promis-pain-interference"].raw) for one in scores] == [14, 10, 9]
    assert [str(float(one["promis-pain-interference"].t)) for one in scores] == [
        "63.8",
        "58.5",
        "57.1",
    ]
    assert all(len(one) == 7 for one in scores)
