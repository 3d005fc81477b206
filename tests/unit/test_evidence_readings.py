"""Readings on several days, values that fell, and diagnoses taken together."""

from fractions import Fraction

import pytest

from cds_service.evidence import conditions, other_orders, readings  # noqa: F401 (registers)
from tests.unit.evidence_help import ICD, ago, ask, coded, observation, status, visit

HIGH = {
    "any": [{"of": "systolic", "at-least": 180}, {"of": "diastolic", "at-least": 120}],
    "within": 30,
}
TWICE = HIGH | {"times": 2}
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"


def pressure(days, systolic, diastolic, final="final"):
    both = [
        observation(None, value, code, "mm[Hg]")
        for value, code in ((systolic, SYSTOLIC), (diastolic, DIASTOLIC))
    ]
    panel = observation(ago(days), None, "85354-9", component=both, status=final)
    return panel | {"id": f"bp-{days}"}


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([(0, 180, 90)], "met"),
        ([(0, 179, 119)], "not-met"),
        ([(0, 150, 120)], "met"),
        ([(30, 190, 90)], "met"),
        ([(31, 190, 90)], "not-met"),
        ([(5, 190, 90), (0, 130, 80)], "not-met"),
        ([(5, 130, 80), (0, 190, 90)], "met"),
    ],
)
def test_one_of_several_measures_reaches_its_limit_and_is_the_newest(taken, expected):
    assert status("readings", HIGH, *(pressure(*one) for one in taken)) == expected


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([(1, 190, 90)], "not-met"),
        ([(1, 190, 90), (4, 150, 125)], "met"),
        ([(1, 190, 90), (31, 190, 90)], "not-met"),
        ([(1, 190, 90), (3, 140, 85), (4, 190, 90)], "met"),
    ],
)
def test_on_different_days(taken, expected):
    assert status("readings", TWICE, *(pressure(*one) for one in taken)) == expected


@pytest.mark.parametrize(("newest", "expected"), [(3, "met"), (4, "not-met")])
def test_the_newest_must_be_recent(newest, expected):
    spec = TWICE | {"newest-within": 3}
    found = status("readings", spec, pressure(newest, 190, 90), pressure(9, 190, 90))
    assert found == expected


def test_a_preliminary_reading_counts_as_suspected():
    answer = ask("readings", HIGH, pressure(0, 190, 90, "preliminary"))
    assert [finding.suspected for finding in answer.findings] == [True]


def test_unread_vital_signs_leave_it_open():
    assert status("readings", HIGH, unread=("vitals",)) == "unknown"


FALL = {"of": "weight", "above": Fraction("4.5"), "within": 180}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([(170, 80.0), (3, 75.5)], "not-met"),
        ([(170, 80.0), (3, 75.4)], "met"),
        ([(181, 90.0), (3, 75.4)], "not-met"),
        ([(180, 90.0), (3, 75.4)], "met"),
        ([(100, 75.0), (3, 80.0)], "not-met"),
        ([(170, 80.0), (60, 75.0), (3, 79.0)], "not-met"),
        ([(3, 75.0)], "not-met"),
        ([], "not-met"),
    ],
)
def test_a_fall_is_seen_from_the_newest_value(weights, expected):
    resources = (observation(ago(day), kg, "29463-7", "kg", id=f"w{day}") for day, kg in weights)
    assert status("fall", FALL, *resources) == expected


def test_a_fall_counts_across_units():
    now = observation(ago(3), 165, "29463-7", "[lb_av]", id="now")
    assert (
        status("fall", FALL, observation(ago(90), 80, "29463-7", "kg", id="before"), now) == "met"
    )


DRAFT = {"resourceType": "ServiceRequest", "id": "o", "status": "draft", "code": coded("97124")}


def diagnosis(code, **more):
    return {
        "resourceType": "Condition",
        "id": code,
        "code": coded(code, ICD),
        "clinicalStatus": coded("active"),
        "recordedDate": ago(9),
        **more,
    }


def condition(spec, *resources):
    return status("condition", spec, *resources, orders=(DRAFT,))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["C79.51", "C78.00"], "met"),
        (["C78.01", "C78.02"], "not-met"),
        (["C79.51"], "not-met"),
        ([], "not-met"),
    ],
)
def test_different_diagnoses(codes, expected):
    spec = {"in": ["distant-metastasis"], "use": "safety", "different": 2}
    assert condition(spec, *map(diagnosis, codes)) == expected


def test_a_doubtful_diagnosis_makes_the_count_doubtful():
    spec = {"in": ["distant-metastasis"], "different": 2}
    unsure = diagnosis("C78.00", verificationStatus=coded("provisional"))
    assert condition(spec, diagnosis("C79.51"), unsure) == "unknown"


@pytest.mark.parametrize(("ended", "expected"), [(30, "met"), (31, "not-met")])
def test_dated_by_its_end(ended, expected):
    spec = {
        "in": ["tissue-infection"],
        "use": "history",
        "onset": {"within": 30},
        "dated-by": "ended",
    }
    past = {"clinicalStatus": coded("resolved"), "onsetDateTime": ago(90)}
    found = diagnosis("L03.115", abatementDateTime=ago(ended), **past)
    assert condition(spec, found) == expected


@pytest.mark.parametrize(("onset", "expected"), [(9, "met"), (10, "not-met"), (11, "not-met")])
def test_since_the_first_visit(onset, expected):
    strain = diagnosis("S39.012A", onsetDateTime=ago(onset))
    assert condition({"in": ["injury"], "since": "anchor"}, strain, visit(ago(10))) == expected


def test_since_a_first_visit_that_has_not_been():
    assert condition({"in": ["injury"], "since": "anchor"}, diagnosis("S39.012A")) == "not-met"


@pytest.mark.parametrize(
    ("more", "expected"), [({"onsetDateTime": "2025"}, "met"), ({}, "not-met")]
)
def test_onset_on_file(more, expected):
    spec = {"in": ["pain"], "dated": True, "dated-by": "onset"}
    assert condition(spec, diagnosis("M54.50", **more)) == expected


def period(first, last, name="occurrencePeriod"):
    return {name: {"start": ago(-first), "end": ago(-last)}}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(-5, 25, "met"), (0, 13, "not-met"), (0, 14, "met"), (-28, 0, "not-met")],
)
def test_an_order_that_covers_half_of_the_ordered_period(first, last, expected):
    draft = DRAFT | period(0, 28)
    other = {**DRAFT, "id": "other", "status": "active", **period(first, last)}
    spec = {"covering": Fraction(1, 2)}
    assert status("other-order", spec, other, orders=(draft,)) == expected


def test_an_order_without_end_covers_nobody_knows_how_much():
    other = {**DRAFT, "id": "other", "status": "active", "authoredOn": ago(5)}
    spec = {"covering": Fraction(1, 2)}
    assert status("other-order", spec, other, orders=(DRAFT | period(0, 28),)) == "unknown"
