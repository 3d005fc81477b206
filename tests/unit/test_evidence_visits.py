"""Visits and episodes: G-10, G-11."""

from __future__ import annotations

import pytest

from cds_service.evidence.quantities import QUANTITIES
from cds_service.evidence.visits import Visits, episode
from tests.unit.evidence_help import DAY, ICD, ago, coded, context, count, odd, visit

SNOMED = "http://snomed.info/sct"


def days(name, *resources, **about):
    value = count(name, *resources, **about).value
    return None if value is None else float(value)


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({}, 1),
        ({"code": coded("97140")}, 1),
        ({"code": coded("97110")}, 0),
        ({"status": "not-done"}, 0),
        ({"status": "in-progress"}, 0),
        ({"status": None}, 0),
        ({"performedDateTime": ago(-1)}, 0),
        ({"performedDateTime": None}, None),
        ({"performedDateTime": None, "performedPeriod": {"start": ago(7)}}, 1),
        ({"performedDateTime": "soon"}, None),
    ],
)
def test_what_is_a_visit(change, counted):
    assert days("visits.year", visit(ago(7), **change)) == counted


def test_two_lines_of_one_day_are_one_visit():
    assert days("visits.year", visit(ago(7)), visit(ago(7), "97140"), visit(ago(3))) == 2


def test_a_finished_massage_encounter_is_a_visit_and_a_cancelled_one_is_not():
    def encounter(status):
        return {
            "resourceType": "Encounter",
            "status": status,
            "type": [coded("97124")],
            "period": {"start": ago(5)},
        }

    assert days("visits.year", encounter("finished")) == 1
    assert days("visits.year", encounter("cancelled")) == 0
    assert days("visits.year", encounter("finished"), visit(ago(5))) == 1


THERAPY = {
    "resourceType": "Encounter",
    "id": "pt",
    "status": "finished",
    "type": [coded("97110")],
    "period": {"start": ago(7)},
}
THERAPIST = {"function": {"coding": [{"system": SNOMED, "code": "36682004"}]}}


@pytest.mark.parametrize(
    ("code", "change", "counted"),
    [
        ("97140", {"encounter": {"reference": "Encounter/pt"}}, 0),
        ("97140", {"performer": [THERAPIST]}, 0),
        ("97140", {"performer": [{"actor": {"reference": "PractitionerRole/therapist"}}]}, 0),
        ("97124", {"performer": [THERAPIST]}, 1),
        ("97124", {"encounter": {"reference": "Encounter/pt"}}, 1),
        ("97140", {"encounter": {"reference": "Encounter/other"}}, 1),
        ("97140", {}, 1),
    ],
)
def test_manual_therapy_within_physical_therapy_is_no_massage(code, change, counted):
    role = {
        "resourceType": "PractitionerRole",
        "id": "therapist",
        "code": [THERAPIST["function"]],
    }
    told = [THERAPY, role, visit(ago(7), code, **change)]
    assert days("visits.year", *told) == counted
    notes = Visits(context(*told).facts).notes
    assert [note for note in notes if "not counted as visits of massage" in note] == (
        [] if counted else list(notes)
    )


def test_what_is_ordered_of_a_physical_therapist_goes_on_with_their_visits():
    order = {
        "resourceType": "ServiceRequest",
        "id": "drawn",
        "code": coded("97140"),
        "performerType": {"coding": [{"system": SNOMED, "code": "36682004"}]},
    }
    given = visit(ago(7), "97140", encounter={"reference": "Encounter/pt"})
    assert days("visits.year", THERAPY, given, orders=(order,)) == 1


def test_an_encounter_for_physical_therapy_is_no_visit_of_massage():
    both = THERAPY | {"type": [coded("97110"), coded("97140")]}
    assert days("visits.year", both) == 0
    assert days("visits.year", both | {"type": [coded("97110"), coded("97124")]}) == 1


def test_a_visit_on_the_day_of_the_order_was_given_already():
    assert days("visits.episode", visit(ago(0))) == 1
    assert days("episode.day", visit(ago(0))) == 0


@pytest.mark.parametrize(("age", "counted"), [(364, 1), (365, 0)])
def test_a_year_of_visits_ends_on_the_day_of_the_order(age, counted):
    assert days("visits.year", visit(ago(age))) == counted


@pytest.mark.parametrize(("day", "counted"), [("2026-01-01", 1), ("2025-12-31", 0)])
def test_visits_of_the_calendar_year(day, counted):
    assert days("visits.calendar-year", visit(day)) == counted


@pytest.mark.parametrize(("last", "running"), [(90, 1), (91, 0)])
def test_an_episode_ends_after_ninety_days_without_a_visit(last, running):
    assert days("visits.episode", visit(ago(last))) == running


@pytest.mark.parametrize(("gap", "counted"), [(90, 2), (91, 1)])
def test_a_gap_between_visits_starts_a_new_episode(gap, counted):
    assert days("visits.episode", visit(ago(10)), visit(ago(10 + gap))) == counted


def test_the_anchor_is_the_first_visit_of_the_episode():
    record = [visit(ago(20)), visit(ago(10)), visit(ago(300))]
    assert episode(context(*record)).anchor.isoformat() == ago(20)
    assert days("episode.day", *record) == 20


def test_before_care_begins_no_day_has_passed():
    assert days("episode.day") == 0
    assert days("visits.episode") == 0


def condition(onset, verified="confirmed"):
    return {
        "resourceType": "Condition",
        "id": "back",
        "code": coded("M54.50", ICD),
        "onsetDateTime": onset,
        "verificationStatus": coded(verified, "v"),
    }


ORDER = {
    "resourceType": "ServiceRequest",
    "code": coded("97124"),
    "reasonReference": [{"reference": "Condition/back"}],
}


@pytest.mark.parametrize(
    ("onset", "verified", "counted"),
    [
        (ago(100), "confirmed", 2),
        (ago(9), "confirmed", 0),
        (ago(10), "confirmed", 1),
        (ago(15), "confirmed", 1),
        (ago(9), "unconfirmed", 2),
        (ago(9), "refuted", 2),
        ("2026", "confirmed", 2),
        (None, "confirmed", 2),
    ],
)
def test_a_new_onset_of_the_treated_condition_starts_a_new_episode(onset, verified, counted):
    record = [visit(ago(10)), visit(ago(20)), condition(onset, verified)]
    assert days("visits.episode", *record, orders=(ORDER,)) == counted


TOLD_AGAIN = [coded("encounter-diagnosis", "c")]


@pytest.mark.parametrize(
    ("older", "newer", "counted"),
    [
        ({}, {"category": TOLD_AGAIN}, 2),
        ({}, {}, 0),
        ({}, {"category": [*TOLD_AGAIN, coded("problem-list-item", "c")]}, 0),
        ({"clinicalStatus": coded("resolved", "s")}, {"category": TOLD_AGAIN}, 0),
        ({"abatementDateTime": ago(60)}, {"category": TOLD_AGAIN}, 0),
        ({"abatementDateTime": ago(5)}, {"category": TOLD_AGAIN}, 2),
        ({"onsetDateTime": ago(3)}, {"category": TOLD_AGAIN}, 0),
        ({"onsetDateTime": None, "recordedDate": ago(90)}, {"category": TOLD_AGAIN}, 2),
    ],
)
def test_what_an_encounter_tells_again_starts_nothing(older, newer, counted):
    on_list = {**condition(ago(100)), **older}
    again = {**condition(ago(9)), "id": "again", **newer}
    order = {**ORDER, "reasonCode": [coded("M54.50", ICD)]}
    record = [visit(ago(10)), visit(ago(20)), on_list, again]
    assert days("visits.episode", *record, orders=(order,)) == counted


def test_a_visit_without_a_date_may_have_been_any_day():
    undated = {key: kept for key, kept in visit(ago(10)).items() if "performed" not in key}
    found = QUANTITIES["visits.year"](context(undated))
    assert (found.value, found.low, found.high) == (None, 0, 1)
    found = QUANTITIES["episode.day"](context(undated))
    assert (found.value, found.low, found.high) == (None, 0, None)


def test_the_onset_of_something_else_starts_nothing():
    other = {**condition(ago(9)), "id": "flu", "code": coded("J10.1", ICD)}
    assert days("visits.episode", visit(ago(10)), other, orders=(ORDER,)) == 1


@pytest.mark.parametrize("since", [0, 1, 3, 6])
def test_a_weekly_rhythm_is_one_a_week_on_any_day_of_it(since):
    record = [visit(ago(since + week * 7)) for week in range(6)]
    assert days("visits.per-week-recent", *record) == 1


def test_a_partial_date_inside_the_year_counts_and_one_across_its_start_leaves_it_open():
    assert days("visits.year", visit("2026-02")) == 1
    across = count("visits.year", visit("2025-03"), visit(ago(7)))
    assert across.value is None
    assert (across.low, across.high) == (1, 2)
    assert [finding.date for finding in across.findings] == [ago(7), "2025-03"]


def test_a_partial_date_before_the_first_visit_leaves_the_day_of_the_episode_open():
    found = count("episode.day", visit("2026-01"), visit(ago(10)))
    assert (found.value, found.low) == (None, 10)


def test_an_unread_query_leaves_a_count_a_least_number():
    found = count("visits.year", visit(ago(7)), unread=("procedures",))
    assert found.value == 1
    assert [hole.key for hole in found.holes] == ["procedures"]


def test_a_visit_after_the_order_is_noted():
    notes = context(visit(ago(-2))).facts.of(Visits).notes
    assert len(notes) == 1
    assert ago(-2) in notes[0]


def test_odd_resources_cost_only_themselves():
    names = ("status", "code", "performedDateTime", "performedPeriod", "type", "period")
    record = [*odd("Procedure", *names), *odd("Encounter", *names), *odd("Condition", "code")]
    assert days("visits.year", *record, visit(DAY.isoformat())) == 1
    strange = ({"reasonCode": 7, "reasonReference": [None, {"reference": 4}]}, None)
    assert days("visits.episode", *record, visit(ago(1)), orders=strange) == 1
