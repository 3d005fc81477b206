"""Three values, and not-applicable, which takes no part."""

import pytest

from cds_service.policies.kleene import (
    all_of,
    all_status,
    any_of,
    any_status,
    at_least,
    at_least_status,
    distinct,
    opposite,
)
from tests.unit.engine_parts import HOLE, MET, NA, NOT_MET, UNKNOWN, found, says


@pytest.mark.parametrize(
    ("one", "other", "both", "either"),
    [
        (MET, MET, MET, MET),
        (MET, NOT_MET, NOT_MET, MET),
        (MET, UNKNOWN, UNKNOWN, MET),
        (MET, NA, MET, MET),
        (NOT_MET, NOT_MET, NOT_MET, NOT_MET),
        (NOT_MET, UNKNOWN, NOT_MET, UNKNOWN),
        (NOT_MET, NA, NOT_MET, NOT_MET),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
        (UNKNOWN, NA, UNKNOWN, UNKNOWN),
        (NA, NA, NA, NA),
    ],
)
def test_all_and_any(one, other, both, either):
    for pair in ((one, other), (other, one)):
        assert all_status(pair) is both
        assert any_status(pair) is either


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ((MET, MET, NOT_MET), MET),
        ((MET, UNKNOWN, NOT_MET), UNKNOWN),
        ((MET, NOT_MET, NOT_MET), NOT_MET),
        ((MET, NA, NA), NOT_MET),
        ((UNKNOWN, UNKNOWN, NOT_MET), UNKNOWN),
    ],
)
def test_at_least_two_of_three(members, status):
    assert at_least_status(members, 2) is status
    assert at_least([says(member) for member in members], 2)(None).status is status


def test_enough_is_enough_whatever_was_not_read():
    answer = at_least([says(MET, "A/1"), says(UNKNOWN, holes=(HOLE,)), says(MET, "B/1")], 2)(None)
    assert (answer.status, answer.holes) == (MET, ())


def test_what_decides_is_the_evidence():
    answer = all_of([says(MET, "A/1"), says(NOT_MET, "B/1"), says(UNKNOWN, holes=(HOLE,))])(None)
    assert (answer.status, answer.holes) == (NOT_MET, ())
    assert [f.reference for f in answer.findings] == ["B/1"]


def test_any_stops_at_what_is_met():
    answer = any_of([says(UNKNOWN, holes=(HOLE,)), says(MET, "A/1")])(None)
    assert (answer.status, answer.holes) == (MET, ())


def test_a_hole_keeps_the_answer_open_and_is_named():
    answer = all_of([says(MET, "A/1"), says(UNKNOWN, holes=(HOLE, HOLE))])(None)
    assert (answer.status, answer.holes) == (UNKNOWN, (HOLE,))


@pytest.mark.parametrize(
    ("status", "turned"), [(MET, NOT_MET), (NOT_MET, MET), (UNKNOWN, UNKNOWN), (NA, NA)]
)
def test_not(status, turned):
    answer = opposite(says(status, "A/1", holes=(HOLE,)))(None)
    assert answer.status is turned
    assert answer.holes == (HOLE,)
    assert [f.reference for f in answer.findings] == ["A/1"]


def test_the_same_fact_is_told_once():
    twice = [found("A/1", "57"), found("A/1", "57"), found("A/1", "60")]
    assert [f.value for f in distinct(twice)] == ["57", "60"]
