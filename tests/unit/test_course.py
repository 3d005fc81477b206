"""What a picture of scores shows of records that are complete, sparse and odd."""

from datetime import timedelta

import pytest

from cds_service.course import courses
from cds_service.pictured import shown
from cds_service.record.reader import record_of_bundle
from cds_service.review import Case
from tests.unit.engine_parts import DAY, condition, order, rules
from tests.unit.evidence_help import ago, observation, visit

FUNCTION = "71959-1"
NDI = "82237-9"


def coverage(name):
    return {
        "resourceType": "Coverage",
        "id": name,
        "status": "active",
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"display": name}],
    }


EVICORE = coverage("Cascadia Health Plan (eviCore delegated)")


def drawn(*resources, orders=None):
    """Return each course as JSON, for records of which every resource has an id."""
    subject = {"reference": "Patient/p1"}
    held = [{"id": f"r{n}", "subject": subject, **one} for n, one in enumerate(resources)]
    case = Case(orders or [order()], record_of_bundle("p1", held), DAY)
    return [shown(course) for course in courses(case, rules())]


def line(course, measure="nprs"):
    return next(one for one in course["lines"] if one["id"] == measure)


def test_points_baseline_step_and_band_of_a_course_under_way():
    pain = observation(ago(21), 8), observation(ago(1), 5)
    [course] = drawn(EVICORE, *pain, visit(ago(20)), visit(ago(13)))
    assert (course["policy"], course["anchor"]) == ("evicore-massage-2017", ago(20))
    assert [one["first"] for one in course["visits"]] == [ago(20), ago(13)]
    found = line(course)
    assert [(one["first"], one["value"]) for one in found["points"]] == [(ago(21), 8), (ago(1), 5)]
    assert (found["low"], found["high"], found["better"]) == (0, 10, "lower")
    assert found["baseline"]["value"] == 8
    assert (found["step"]["value"], found["step"]["configured"]) == (6, True)
    week = found["bands"][0]
    assert (week["rule"], week["edge"], week["first"], week["last"]) == (
        "EV-P2",
        4,
        ago(6),
        (DAY + timedelta(days=14)).isoformat(),
    )


def test_before_care_there_is_no_band():
    [course] = drawn(EVICORE, observation(ago(3), 8))
    assert course["anchor"] is None
    assert line(course)["bands"] == []
    assert line(course)["step"]["value"] == 6


@pytest.mark.parametrize(("pain", "at"), [(3, 1), (2, 0), (1, None)])
def test_a_difference_that_the_scale_cannot_hold_is_not_drawn(pain, at):
    [course] = drawn(EVICORE, observation(ago(3), pain))
    step = line(course)["step"]
    assert (step and step["value"]) == at


def test_without_scores_there_is_no_line():
    [course] = drawn(EVICORE, condition("G89.29", "pain"))
    assert (course["lines"], course["visits"]) == ([], [])


def test_without_coverage_the_scores_are_there_and_no_target():
    [course] = drawn(observation(ago(21), 8), visit(ago(20)))
    assert (course["policy"], course["coverage"]) == (None, None)
    assert line(course)["bands"] == []


@pytest.mark.parametrize("number", [1, 2])
def test_each_coverage_has_its_course(number):
    held = [EVICORE, coverage("Commonwealth Care Alliance")][:number]
    found = drawn(*held, observation(ago(21), 8))
    assert len({course["policy"] for course in found}) == number


def test_order_out_of_scope_has_no_course():
    other = order(code={"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]})
    assert drawn(EVICORE, observation(ago(1), 5), orders=[other]) == []


def test_partial_and_preliminary_points_are_told_apart():
    points = [
        observation("2026-02", 7),
        observation(ago(9), 6),
        observation(ago(2), 5, status="preliminary"),
    ]
    found = line(drawn(EVICORE, *points)[0])["points"]
    assert [(one["kind"], one["first"], one["last"]) for one in found] == [
        ("partial", "2026-02-01", "2026-02-28"),
        ("final", ago(9), ago(9)),
        ("preliminary", ago(2), ago(2)),
    ]


def test_value_without_a_scale_is_listed_and_not_placed():
    bare = observation(ago(3), 20, code=NDI) | {"valueQuantity": {"value": 20}}
    found = line(drawn(EVICORE, bare)[0], "ndi")
    assert [(one["kind"], one["value"]) for one in found["points"]] == [("unclear", None)]
    assert (found["baseline"], found["step"], found["bands"]) == (None, None, [])


def test_future_and_other_people_s_scores_are_not_shown():
    later = observation((DAY + timedelta(days=3)).isoformat(), 1)
    other = observation(ago(2), 9, subject={"reference": "Patient/p2"})
    assert drawn(EVICORE, later, other)[0]["lines"] == []


def test_percentage_of_a_raw_sum_has_no_place_on_the_scale_of_scores():
    held = [observation(ago(21), 35, code=FUNCTION, unit="{Tscore}"), visit(ago(20))]
    found = line(drawn(EVICORE, *held)[0], "promis-physical-function")
    assert found["bands"] == []
    assert found["step"]["value"] == 40
    assert found["low"] < 35 < 40 < found["high"]
    assert (found["low"], found["high"]) != (10, 90)


def test_single_point_without_a_difference_still_has_an_axis():
    [course] = drawn(EVICORE, observation(ago(40), 40, code=FUNCTION, unit="{Tscore}"))
    found = line(course, "promis-physical-function")
    assert found["low"] < found["high"]
