"""The judge finds each kind of difference, and none in what is as expected."""

import pytest

from cds_service.policy_tests.judge import differences

EXPECT = {
    "determination": "conditional",
    "unmetCriteria": ["A-1"],
    "unknownCriteria": ["A-2"],
    "missing": ["A-D1"],
    "advisory": ["A-D2"],
    "redFlags": [{"id": "A-S1", "urgency": "specialist", "effect": "hold"}],
    "priorAuth": "required",
    "approvableNow": 6,
    "mustNotInclude": ["A-9"],
}


def evaluation(**changes):
    return {
        "policy": "a",
        "determination": "conditional",
        "criteria": [{"id": "A-1", "status": "not-met"}, {"id": "A-2", "status": "unknown"}],
        "missing": [{"id": "A-D1", "blocking": True}, {"id": "A-D2", "blocking": False}],
        "safety": [
            {"id": "A-S1", "urgency": "specialist", "effect": "hold"},
            {"id": "A-S2", "urgency": "caution", "effect": "none"},
        ],
        "priorAuth": "required",
        "approvableNow": {"value": 6, "unit": "visits"},
    } | changes


def test_as_expected():
    assert differences(EXPECT, "a", [evaluation()]) == []


def test_several_evaluations_are_put_together():
    calm = evaluation(
        determination="covered", criteria=[], missing=[], safety=[], approvableNow=None
    )
    assert differences(EXPECT, "a", [calm, evaluation()]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"determination": "covered"}, "determination is covered"),
        ({"criteria": [{"id": "A-2", "status": "unknown"}]}, "A-1 is not listed, not not-met"),
        ({"criteria": [{"id": "A-1", "status": "not-met"}]}, "A-2 is not listed, not unknown"),
        ({"missing": [{"id": "A-D2", "blocking": False}]}, "A-D1 is not asked for"),
        ({"missing": [{"id": "A-D1", "blocking": True}]}, "A-D2 is no advice"),
        ({"safety": []}, "is absent"),
        ({"priorAuth": None}, "prior authorization"),
        ({"approvableNow": {"value": 6, "unit": "units"}}, "approvable now"),
        ({"policy": "b"}, "no evaluation of a"),
    ],
)
def test_difference(change, problem):
    assert any(problem in found for found in differences(EXPECT, "a", [evaluation(**change)]))


@pytest.mark.parametrize(
    ("name", "extra", "problem"),
    [
        ("missing", {"id": "A-D3", "blocking": True}, "without need"),
        ("safety", {"id": "A-S3", "urgency": "ED-now", "effect": "stop"}, "should not be there"),
        ("safety", {"id": "A-9", "urgency": "caution", "effect": "none"}, "must not be raised"),
        ("criteria", {"id": "A-9", "status": "unknown"}, "must not be raised"),
    ],
)
def test_too_much(name, extra, problem):
    given = evaluation()
    given[name] = [*given[name], extra]
    assert any(problem in found for found in differences(EXPECT, "a", [given]))


def test_not_covered_asks_for_whatever_helps():
    expect = EXPECT | {"determination": "not-covered", "missing": []}
    assert differences(expect, "a", [evaluation(determination="not-covered")]) == []


def test_nothing_applies():
    nothing = {"determination": "not-applicable"}
    assert differences(nothing, "a", []) == []
    assert differences(nothing, "a", [evaluation(determination="not-applicable")]) == []
    assert differences(nothing, "a", [evaluation(policy=None)]) != []


def test_second_coverage():
    expect = EXPECT | {"secondary": {"policy": "b", "determination": "covered"}}
    second = evaluation(policy="b", determination="covered")
    assert differences(expect, "a", [evaluation(), second]) == []
    assert differences(expect, "a", [evaluation()]) == ["no evaluation of b"]
