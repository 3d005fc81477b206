"""Change since the baseline, in exact numbers (G-12, G-13)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cds_service.evidence import progress  # noqa: F401
from tests.unit.evidence_help import BASE, ago, ask, observation, odd, status, visit
from tests.unit.test_evidence_measures import PROMIS, answered, response

HALF = {"better-by": {"percent": 50}}
QUARTERS = {"better-by": {"percent": 75}}
BETTER, WORSE = {"better-by": "mcid"}, {"worse-by": "mcid"}
ODI, NDI, LEFS = ("97909-6", "%"), ("82237-9", "{score}"), ("lefs-score", "{score}")
FUNCTION, INTERFERENCE = ("91721-1", "{T-score}"), ("77865-4", "{T-score}")
NPRS = ("72514-3", "{score}")
NAMES = {ODI: "odi", NDI: "ndi", LEFS: "lefs", NPRS: "nprs"}
NAMES |= {FUNCTION: "promis-physical-function", INTERFERENCE: "promis-pain-interference"}


def course(measure, *points, begun=42):
    """Return a course of care begun so many days ago, with (age, value) of one measure."""
    code, unit = measure
    visits = [visit(ago(day)) for day in range(begun, 0, -7)]
    return [*visits, *(observation(ago(age), value, code, unit) for age, value in points)]


def asks(spec, measure, *points, **about):
    record = course(measure, *points)
    return status("progress", {"of": NAMES[measure], **spec}, *record, **about)


def change(spec, measure, base, now):
    return asks(spec, measure, (42, base), (1, now))


@pytest.mark.parametrize(
    ("measure", "base", "now", "half"),
    [
        (NPRS, 7, 4, "not-met"),
        (NPRS, 8, 4, "met"),
        (NPRS, 9, 4, "met"),
        (NPRS, 7, 3, "met"),
        (ODI, 40, 18, "met"),
        (ODI, 40, 20, "met"),
        (ODI, 40, 20.1, "not-met"),
        (LEFS, 40, 60, "met"),
        (LEFS, 40, 59, "not-met"),
        (NPRS, 0, 0, "unknown"),
        (LEFS, 80, 80, "unknown"),
        (FUNCTION, 34, 57, "unknown"),
        (FUNCTION, 36.7, 35.6, "not-met"),
    ],
)
def test_half(measure, base, now, half):
    assert change(HALF, measure, base, now) == half


@pytest.mark.parametrize(("now", "found"), [(2, "met"), (Fraction("2.1"), "not-met")])
def test_three_quarters(now, found):
    assert change(QUARTERS, NPRS, 8, float(now)) == found


@pytest.mark.parametrize(
    ("measure", "base", "now", "better", "worse"),
    [
        (NPRS, 6, 4, "met", "not-met"),
        (NPRS, 6, 4.1, "not-met", "not-met"),
        (NPRS, 6, 8, "not-met", "met"),
        (ODI, 40, 30, "met", "not-met"),
        (ODI, 40, 31, "not-met", "not-met"),
        (NDI, 20, 12.5, "met", "not-met"),
        (NDI, 20, 13, "not-met", "not-met"),
        (LEFS, 40, 49, "met", "not-met"),
        (LEFS, 40, 48, "not-met", "not-met"),
        (LEFS, 40, 31, "not-met", "met"),
        (FUNCTION, 34, 39, "met", "not-met"),
        (FUNCTION, 34, 38.9, "not-met", "not-met"),
        (FUNCTION, 39, 34, "not-met", "met"),
        (INTERFERENCE, 66, 61, "met", "not-met"),
        (INTERFERENCE, 61, 66, "not-met", "met"),
    ],
)
def test_clinically_important_change(measure, base, now, better, worse):
    assert change(BETTER, measure, base, now) == better
    assert change(WORSE, measure, base, now) == worse


@pytest.mark.parametrize(
    ("measure", "base", "now", "mic"),
    [
        (INTERFERENCE, 66, 64, "met"),
        (INTERFERENCE, 66, 64.1, "not-met"),
        (NPRS, 6, 5, "not-met"),
        (NPRS, 6, 4, "met"),
    ],
)
def test_minimal_change_is_the_important_one_where_no_other_is_set(measure, base, now, mic):
    assert change({"better-by": "mic"}, measure, base, now) == mic
    assert change({"short-of": "mic"}, measure, base, now) == opposite(mic)


def opposite(found):
    return {"met": "not-met", "not-met": "met"}[found]


@pytest.mark.parametrize(
    ("now", "better", "worse", "same"),
    [
        (5, "met", "not-met", "not-met"),
        (6, "not-met", "not-met", "met"),
        (7, "not-met", "met", "not-met"),
    ],
)
def test_any_change(now, better, worse, same):
    assert change({"better-by": "any"}, NPRS, 6, now) == better
    assert change({"worse-by": "any"}, NPRS, 6, now) == worse
    assert change({"unchanged": True}, NPRS, 6, now) == same
    assert change({"short-of": "any"}, NPRS, 6, now) == opposite(better)


@pytest.mark.parametrize(
    ("now", "found"), [(36, "met"), (35, "not-met"), (44, "met"), (45, "not-met")]
)
def test_less_than_half_of_the_important_change(now, found):
    assert change({"unchanged": {"mcid-share": Fraction(1, 2)}}, ODI, 40, now) == found


def test_numbers_of_the_policy_come_before_the_shared_ones():
    record = course(NPRS, (42, 6), (1, 4))
    own = {"mcid-nprs": Fraction(3)}
    assert status("progress", {"of": "nprs", **BETTER}, *record, numbers=own) == "not-met"


@pytest.mark.parametrize("spec", [BETTER, WORSE, {"unchanged": True}, {"short-of": "mic"}])
def test_what_was_not_measured_again_shows_nothing(spec):
    assert asks(spec, NPRS, (42, 6)) == "not-met"
    assert asks(spec, NPRS, (1, 6)) == "not-met"
    assert asks(spec, NPRS) == "not-met"
    assert asks(spec, NPRS, (42, 6), unread=("measures",)) == "unknown"


@pytest.mark.parametrize(("age", "current", "latest"), [(30, "met", "met"), (31, "not-met", "met")])
def test_the_current_measurement_is_recent(age, current, latest):
    assert asks(BETTER, NPRS, (42, 8), (age, 4)) == current
    assert asks({**BETTER, "point": "latest"}, NPRS, (42, 8), (age, 4)) == latest


def test_current_and_latest_judge_the_newest_alone_and_any_each():
    points = ((42, 8), (20, 4), (1, 7))
    assert asks(BETTER, NPRS, *points) == "not-met"
    assert asks({**BETTER, "point": "latest"}, NPRS, *points) == "not-met"
    assert asks({**BETTER, "point": "any"}, NPRS, *points) == "met"


@pytest.mark.parametrize(
    ("age", "found"), [(14, "met"), (13, "not-met"), (41, "met"), (42, "not-met")]
)
def test_days_of_the_episode(age, found):
    points = ((50, 8), (age, 4)) if age < 42 else ((50, 8), (42, 4))
    spec = {**BETTER, "point": "any", "days": {"from": 1, "to": 28}}
    assert asks(spec, NPRS, *points) == found


@pytest.mark.parametrize(
    ("points", "newest", "any_"),
    [
        (((42, 40), (20, 28), (6, 27)), "met", "met"),
        (((42, 40), (20, 28), (7, 27)), "not-met", "not-met"),
        (((42, 40), (6, 27)), "not-met", "not-met"),
        (((42, 40), (20, 28), (6, 31)), "not-met", "not-met"),
        (((42, 40), (30, 28), (16, 28), (1, 40)), "not-met", "met"),
    ],
)
def test_a_lasting_gain_is_measured_twice_fourteen_days_apart(points, newest, any_):
    spec = {**BETTER, "lasting": 14}
    assert asks(spec, ODI, *points) == newest
    assert asks({**spec, "point": "any"}, ODI, *points) == any_


@pytest.mark.parametrize(
    ("points", "plateau"),
    [
        (((42, 8), (20, 4), (6, 4)), "met"),
        (((42, 8), (20, 4), (6, 5)), "met"),
        (((42, 8), (20, 4), (7, 4)), "not-met"),
        (((42, 8), (20, 4), (6, 3)), "not-met"),
        (((42, 8), (20, 4), (13, 4), (6, 4)), "met"),
        (((42, 8), (20, 4), (13, 3), (6, 4)), "not-met"),
        (((42, 8), (20, 4)), "not-met"),
        (((42, 8),), "not-met"),
    ],
)
def test_a_plateau_is_no_gain_between_the_two_latest(points, plateau):
    spec = {"point": "latest-two", "apart": 14, "short-of": "any"}
    assert asks(spec, NPRS, *points) == plateau


def test_the_two_latest_are_equal():
    spec = {"point": "latest-two", "apart": 14, "unchanged": True}
    assert asks(spec, NPRS, (42, 8), (20, 4), (6, 4)) == "met"
    assert asks(spec, NPRS, (42, 8), (20, 4), (6, 5)) == "not-met"


def test_against_the_previous_and_the_best():
    points = ((42, 8), (20, 3), (8, 5), (1, 4))
    assert asks({"better-by": "any", "against": "previous"}, NPRS, *points) == "met"
    assert asks({"worse-by": "any", "against": "best"}, NPRS, *points) == "met"
    assert asks({"worse-by": "mcid", "against": "best"}, NPRS, *points) == "not-met"
    assert asks({"worse-by": "mcid", "against": "best"}, NPRS, (42, 8), (20, 3), (1, 5)) == "met"
    assert asks({"worse-by": "mcid", "against": "best"}, LEFS, (42, 40), (20, 60), (1, 51)) == "met"


def test_one_of_the_measures_or_all_that_were_measured_again():
    record = [*course(NPRS, (42, 8), (1, 4)), *course(ODI, (42, 40), (1, 39))[6:]]
    spec = {"of": ["nprs", "odi", "lefs"], **HALF}
    assert status("progress", spec, *record) == "met"
    assert status("progress", {**spec, "quantifier": "all"}, *record) == "not-met"
    both = {"of": ["nprs", "odi", "lefs"], "better-by": "any", "quantifier": "all"}
    assert status("progress", both, *record) == "met"
    assert status("progress", both, *record, unread=("responses",)) == "unknown"
    assert status("progress", both, *record, unread=("vitals",)) == "met"


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (BETTER, "met"),
        ({"better-by": "any", "quantifier": "all"}, "unknown"),
        ({"short-of": {"percent": 75}}, "unknown"),
        ({"unchanged": {"mcid-share": Fraction(3)}}, "unknown"),
        ({"worse-by": "any"}, "unknown"),
    ],
)
def test_what_was_not_read_could_show_a_gain(spec, found):
    assert asks(spec, NPRS, (42, 8), (1, 4), unread=("measures",)) == found


def test_a_first_measurement_in_the_first_week_is_a_baseline_that_says_so():
    (finding,) = ask("progress", {"of": "nprs", **BETTER}, *course(NPRS, (35, 8), (1, 4))).findings
    assert "after the first visit" in finding.value
    assert asks(BETTER, NPRS, (34, 8), (1, 4)) == "not-met"


def test_evidence_shows_both_measurements():
    record = course(INTERFERENCE, (42, 66), (1, 57))
    (finding,) = ask("progress", {"of": "promis-29", **BETTER}, *record).findings
    assert finding.reference == f"Observation/{record[-1]['id']}"
    assert finding.date == ago(1)
    assert finding.value == f"57 (baseline 66 on {ago(42)})"
    failed = ask(
        "progress", {"of": "promis-29", **BETTER}, *course(INTERFERENCE, (42, 66), (1, 65))
    )
    assert failed.status == "not-met"
    assert len(failed.findings) == 1


def test_a_result_that_is_not_final_leaves_the_change_unknown():
    draft = observation(ago(1), 4, status="preliminary")
    assert status("progress", {"of": "nprs", **BETTER}, *course(NPRS, (42, 8)), draft) == "unknown"
    final = course(NPRS, (42, 8), (2, 8))
    assert status("progress", {"of": "nprs", **BETTER}, *final, draft) == "not-met"


def test_two_versions_of_a_form_are_not_compared():
    def form(day, version, value):
        answer = {"97909-6": {"valueQuantity": {"value": value, "unit": "%"}}}
        return response(day, answer, f"{BASE}/Questionnaire/odi|{version}")

    visits = course(ODI)
    spec = {"of": "odi", **BETTER}
    same = [form(ago(42), "2.1a", 40), form(ago(1), "2.1a", 20)]
    other = [form(ago(42), "2.0", 40), form(ago(1), "2.1a", 20)]
    plain = [observation(ago(42), 40, *ODI), form(ago(1), "2.1a", 20)]
    assert status("progress", spec, *visits, *same) == "met"
    assert status("progress", spec, *visits, *other) == "unknown"
    assert status("progress", spec, *visits, *plain) == "met"


def test_percent_of_physical_function_is_taken_on_the_raw_sum():
    def form(day, *codes):
        return response(day, answered(*codes), PROMIS)

    eight = ("LA13919-8",) * 4
    thirteen = ("LA13920-6",) * 3 + ("LA13918-0",)
    fourteen = ("LA13920-6",) * 2 + ("LA13918-0",) * 2
    spec = {"of": "promis-physical-function", **HALF}
    visits = course(FUNCTION)
    assert (
        status("progress", spec, *visits, form(ago(42), *eight), form(ago(1), *fourteen)) == "met"
    )
    missed = [form(ago(42), *eight), form(ago(1), *thirteen)]
    assert status("progress", spec, *visits, *missed) == "not-met"


def test_satisfaction_and_participation_are_never_compared():
    record = [
        *course(FUNCTION),
        observation(ago(42), 30, "71957-5"),
        observation(ago(1), 60, "77854-8"),
    ]
    assert status("progress", {"of": "promis-29", "better-by": "any"}, *record) == "not-met"


def test_an_index_without_unit_is_judged_where_its_scales_agree():
    bare = ("97909-6", None)
    NAMES[bare] = "odi"
    assert change(HALF, bare, 40, 20) == "met"
    assert change(BETTER, bare, 40, 34) == "unknown"
    assert change(BETTER, bare, 40, 38) == "not-met"


def test_odd_observations_cost_only_themselves():
    names = ("status", "code", "effectiveDateTime", "valueQuantity", "derivedFrom", "meta")
    strange = [observation(ago(2), 5) | one for one in odd("Observation", *names)]
    for one in strange:
        one["effectiveDateTime"] = None
    assert (
        status("progress", {"of": "nprs", **BETTER}, *course(NPRS, (42, 8), (1, 4)), *strange)
        == "met"
    )
