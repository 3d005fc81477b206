"""Why a criterion is open is said truly: what is on file is not said to be lacking."""

import pytest

from cds_service.policy_tests.stories import PolicyTest, evaluate, read_tests, shipped_tests
from cds_service.services import rules_of
from cds_service.settings import load_settings

STORIES = {(test.policy, test.title): test for test in read_tests(shipped_tests())}
KP, VHA, CCA = "kpwa-massage", "vha-cdi-00036", "cca-mng-084"
COMPLETE = (KP, "Findings of 90 days ago still count")
UNCODED = [{"day": -1, "type": "progress note"}]
PRELIMINARY = [
    {"day": -3, "cervical-rotation": 45},
    {"day": -3, "status": "preliminary", "ndi": "38%"},
]


@pytest.fixture(scope="module")
def rules():
    return rules_of(load_settings({}))


def why(rules, named, criterion, **changed):
    """Return why a criterion of a story is as it is, with parts of the story changed."""
    story = STORIES[named].story | changed
    [found] = evaluate(PolicyTest(named[0], named[1], story, "", 1), rules)
    return next(one.because for one in found.criteria if one.id == criterion) or ""


@pytest.mark.parametrize(
    ("changed", "criterion", "words"),
    [
        ({"measures": PRELIMINARY}, "KP-A1", "not final, or does not say what it holds"),
        ({"measures": [{"day": -3, "ndi": "38%"}]}, "KP-A1", "No objective finding of"),
        ({"measures": [{"day": -3, "ndi": "38%"}], "documents": UNCODED}, "KP-A1", "not final, or"),
        ({"goals": []}, "KP-A2", "No goal was found"),
    ],
)
def test_kaiser(rules, changed, criterion, words):
    assert words in why(rules, COMPLETE, criterion, **changed)


def test_kaiser_of_a_diagnosis_that_is_not_confirmed(rules):
    doubtful = (KP, "An unconfirmed diagnosis is neither a yes nor a no")
    assert why(rules, doubtful, "KP-A1") == "No confirmed diagnosis was found."
    assert why(rules, doubtful, "KP-A2").startswith("No confirmed physical condition was found")
    assert why(rules, doubtful, "KP-A2", goals=[]) == "No goal was found that massage is to serve."


def test_a_note_that_says_nothing_of_what_it_holds_is_not_said_to_be_lacking(rules):
    said = why(rules, (VHA, "C1 to C6 all there"), "VHA-C2", documents=UNCODED)
    assert said == "No note since care began is marked as holding symptoms and findings."


def test_visits_that_two_orders_leave_open_are_told_as_a_range(rules):
    order = {"code": 97124, "weekly": 1, "reason": "G89.29", "by": "massage therapist"}
    story = (CCA, "Ten used and fourteen more - two now, twelve as a later request")
    both = [{**order, "visits": 2}, {**order, "visits": 12}]
    said = why(rules, story, "CCA-V1", orders=both)
    assert said == "10 used and 12 to 14 ordered cross the first 12 of a year."
    assert "10 used and 14 ordered" in why(rules, story, "CCA-V1")
