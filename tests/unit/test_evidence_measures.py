"""Measures as dated series, and the question for one (G-06, G-11, G-12)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cds_service.evidence.measures import Measures
from cds_service.evidence.notes import notes_of
from tests.unit.evidence_help import (
    BASE,
    CPT,
    LOINC,
    ago,
    ask,
    coded,
    context,
    observation,
    odd,
    status,
    visit,
)

PAIN = {"of": "nprs"}


def series(measure, *resources):
    return context(*resources).facts.of(Measures).series(measure)


def values(measure, *resources):
    return [float(point.values[0]) for point in series(measure, *resources).points]


def notes(*resources):
    found = context(*resources).facts.of(Measures)
    return (*found.notes, *(told for _, told in found.twice))


def asks(spec, *resources, **about):
    return status("measure", {**PAIN, **spec}, *resources, **about)


def response(day, answers, questionnaire=f"{BASE}/Questionnaire/odi", **more):
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"form-{day}",
        "status": "completed",
        "questionnaire": questionnaire,
        "authored": day,
        "item": [{"linkId": link, "answer": [answer]} for link, answer in answers.items()],
        **more,
    }


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("final", "met"),
        ("amended", "met"),
        ("corrected", "met"),
        ("preliminary", "unknown"),
        ("registered", "not-met"),
        ("cancelled", "not-met"),
        ("unknown", "not-met"),
        (None, "not-met"),
    ],
)
def test_status(state, found):
    assert asks({}, observation(ago(1), 6, status=state)) == found


@pytest.mark.parametrize(
    ("focus", "found"),
    [
        ([], "met"),
        ([{"reference": "Patient/p"}], "met"),
        ([{"reference": "https://ehr.example.org/fhir/Patient/p"}], "met"),
        ([{"reference": "BodyStructure/knee"}], "met"),
        ([{"display": "knee"}], "met"),
        ([{"reference": "Patient/child"}], "not-met"),
        ([{"reference": "RelatedPerson/child"}], "not-met"),
    ],
)
def test_what_was_measured_of_somebody_else_does_not_count(focus, found):
    assert asks({}, observation(ago(1), 6, focus=focus)) == found


def test_a_preliminary_result_counts_for_safety_as_suspected():
    answer = ask("measure", {**PAIN, "use": "safety"}, observation(ago(1), 6, status="preliminary"))
    assert answer.status == "met"
    assert [finding.suspected for finding in answer.findings] == [True]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, [6]),
        ({"effectiveDateTime": ago(-1)}, []),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": ago(1)}}, [6]),
        ({"effectiveDateTime": None, "issued": f"{ago(1)}T12:00:00Z"}, [6]),
        ({"effectiveDateTime": None}, []),
        ({"valueQuantity": None, "valueInteger": 6}, [6]),
        ({"valueQuantity": None, "valueString": "6"}, [6]),
        ({"valueQuantity": None, "valueString": "6/10"}, []),
        ({"valueQuantity": {"value": 6, "comparator": "<"}}, []),
        ({"valueQuantity": {"value": 11}}, []),
        ({"valueQuantity": {"value": True}}, []),
        ({"valueQuantity": {"value": "NaN"}}, []),
        ({"code": coded("72514-3", CPT)}, []),
        ({"code": {"coding": [{"code": "x"}, {"system": LOINC, "code": "38208-5"}]}}, [6]),
    ],
)
def test_what_is_a_measurement(change, found):
    assert values("nprs", observation(ago(1), 6) | change) == found


def kidney(day, limit, comparator=None):
    result = observation(day, limit, "98979-8")
    result["valueQuantity"] = {"value": limit, "unit": "mL/min", "comparator": comparator}
    return result


@pytest.mark.parametrize(
    ("comparator", "limit", "asked", "found"),
    [
        ("<", 15, {"below": 15}, "met"),
        ("<=", 15, {"below": 15}, "unknown"),
        ("<", 20, {"below": 15}, "unknown"),
        (">", 60, {"below": 15}, "not-met"),
        (">", 15, {"above": 15}, "met"),
        (">=", 15, {"above": 15}, "unknown"),
        (">=", 15, {"at-least": 15}, "met"),
        ("ad", 10, {"below": 15}, "not-met"),
    ],
)
def test_a_result_beyond_a_limit_is_judged_by_all_it_can_mean(comparator, limit, asked, found):
    spec = {"of": ["egfr"], "point": "latest", **asked}
    assert status("measure", spec, kidney(ago(1), limit, comparator)) == found


def test_a_result_beyond_a_limit_takes_the_place_of_an_older_one():
    spec = {"of": ["egfr"], "point": "latest", "below": 15}
    assert status("measure", spec, kidney(ago(90), 14)) == "met"
    assert status("measure", spec, kidney(ago(90), 14), kidney(ago(1), 60, ">")) == "not-met"


@pytest.mark.parametrize(
    ("comparator", "limits", "found"),
    [
        ("<", {"low": {"value": 150}}, "met"),
        (">", {"low": {"value": 150}}, "not-met"),
        (">", {"low": {"value": 450}}, "not-met"),
    ],
)
def test_a_limit_is_flagged_by_what_it_leaves_open(comparator, limits, found):
    result = observation(ago(1), 100, "777-3", referenceRange=[limits])
    result["valueQuantity"] = {"value": 100, "unit": "10*3/uL", "comparator": comparator}
    assert status("measure", {"of": ["platelets"], "flagged": "low"}, result) == found


def delivered(day):
    code = coded("O80", "http://hl7.org/fhir/sid/icd-10-cm")
    return {"resourceType": "Condition", "id": "birth", "code": code, "onsetDateTime": day}


@pytest.mark.parametrize(("ended", "found"), [(20, "not-met"), (100, "met"), (101, "met")])
def test_a_state_that_a_later_diagnosis_ended_is_left_out(ended, found):
    answered = {"valueQuantity": None, "valueCodeableConcept": coded("LA15173-0", LOINC)}
    spec = {"of": ["pregnancy-status"], "coded-in": ["pregnant-answer"]}
    pregnant = observation(ago(100), None, "82810-3", **answered)
    spec["ended-by"] = ["pregnancy-ended"]
    assert status("measure", spec, pregnant, delivered(ago(ended))) == found


def test_what_is_left_out_is_noted():
    (outside,) = notes(observation(ago(1), 11, id="o"))
    assert "Observation/o" in outside
    (future,) = notes(observation(ago(-1), 6, id="f"))
    assert "Observation/f" in future


def test_components_are_read():
    panel = observation(ago(1), None, "85354-9")
    panel["component"] = [
        {"code": coded("8480-6", LOINC), "valueQuantity": {"value": 184, "unit": "mm[Hg]"}},
        {"code": coded("8462-4", LOINC), "valueQuantity": {"value": 112, "unit": "mm[Hg]"}},
    ]
    assert values("systolic", panel) == [184]
    assert values("diastolic", panel) == [112]


PERCENT = {"valueQuantity": {"value": 40, "unit": "%"}}


@pytest.mark.parametrize("questionnaire", ["odi", "odi|2.1a"])
def test_a_form_alone_is_a_measurement(questionnaire):
    form = response(ago(1), {"97909-6": PERCENT}, f"{BASE}/Questionnaire/{questionnaire}")
    assert values("odi", form) == [40]


def test_a_form_and_the_observation_derived_from_it_are_one_measurement():
    form = response(ago(1), {"97909-6": PERCENT})
    derived = {"derivedFrom": [{"reference": f"QuestionnaireResponse/{form['id']}"}]}
    score = observation(ago(1), 40, "97909-6", "%", id="o", **derived)
    (point,) = series("odi", form, score).points
    assert point.finding.reference == "Observation/o"
    (moved,) = series("odi", form, score | {"effectiveDateTime": ago(0)}).points
    assert moved.finding.reference == "Observation/o"
    again = observation(ago(1), 40, "97909-6", "%", id="o")
    (same,) = series("odi", form, again).points
    assert same.finding.reference == "Observation/o"


def test_a_score_beyond_its_scale_is_told_of_though_an_observation_repeats_it():
    beyond = {"valueQuantity": {"value": 400, "unit": "%"}}
    form = response(ago(1), {"97909-6": beyond})
    derived = {"derivedFrom": [{"reference": f"QuestionnaireResponse/{form['id']}"}]}
    score = observation(ago(1), 40, "97909-6", "%", id="o", **derived)
    (note,) = notes(form, score)
    assert note.endswith("400 % does not fit its scale and is not used")


def test_a_cancelled_score_leaves_the_form():
    form = response(ago(1), {"97909-6": PERCENT})
    derived = {"derivedFrom": [{"reference": f"QuestionnaireResponse/{form['id']}"}]}
    score = observation(ago(1), 40, "97909-6", "%", status="cancelled", **derived)
    assert values("odi", form, score) == [40]


@pytest.mark.parametrize(
    ("state", "found"), [("completed", [40]), ("amended", [40]), ("in-progress", [])]
)
def test_only_completed_forms_are_measurements(state, found):
    assert values("odi", response(ago(1), {"97909-6": PERCENT}, status=state)) == found


def test_an_item_without_answer_is_no_measurement():
    form = response(ago(1), {}, f"{BASE}/Questionnaire/lefs")
    form["item"] = [{"linkId": "lefs-score"}]
    assert values("lefs", form) == []


def test_two_values_of_one_day_leave_the_later_with_a_note():
    early = observation(f"{ago(1)}T09:00:00-04:00", 7)
    late = observation(f"{ago(1)}T18:00:00-04:00", 4)
    assert values("nprs", late, early) == [4]
    assert len(notes(late, early)) == 1
    assert notes(early, dict(early)) == ()


@pytest.mark.parametrize(("age", "cited", "told"), [(30, 0, 1), (31, 0, 0), (31, 1, 1)])
def test_several_values_of_one_day_are_told_of_where_they_are_current_or_evidence(age, cited, told):
    early = observation(f"{ago(age)}T09:00:00-04:00", 7)
    late = observation(f"{ago(age)}T18:00:00-04:00", 4)
    found = context(early, late)
    assert len(notes_of(found, [f"Observation/{late['id']}"][:cited])) == told


def test_of_two_versions_of_one_day_the_one_changed_last_counts():
    first = observation(ago(1), 7, meta={"lastUpdated": "2026-03-15T10:00:00Z"})
    last = observation(ago(1), 4, meta={"lastUpdated": "2026-03-15T11:00:00Z"})
    assert values("nprs", last, first) == [4]


@pytest.mark.parametrize(
    ("value", "unit", "found"),
    [(18, "{score}", 36), (18, "%", 18), (50, "{score}", 100), (51, "{score}", None)],
)
def test_the_unit_tells_the_scale_of_the_neck_disability_index(value, unit, found):
    expected = [] if found is None else [found]
    assert values("ndi", observation(ago(1), value, "82237-9", unit)) == expected


@pytest.mark.parametrize(
    ("unit", "read"),
    [
        ("mL/min/{1.73_m2}", "12 mL/min/1.73 m2"),
        ("mL/min/1.73m2", "12 mL/min/1.73m2"),
        ("mL/min", "12 mL/min"),
    ],
)
def test_a_unit_with_an_annotation_is_read_as_people_write_it(unit, read):
    (point,) = series("egfr", observation(ago(1), 12, "98979-8", unit)).points
    assert point.finding.value == read


def test_an_index_without_unit_is_unknown_where_its_scales_disagree():
    bare = observation(ago(1), 8, "82237-9", None)
    assert asks({"of": "ndi", "at-most": 10}, bare) == "unknown"
    assert asks({"of": "ndi", "at-most": 20}, dict(bare)) == "met"
    assert asks({"of": "ndi", "at-most": 5}, dict(bare)) == "not-met"


def test_t_scores_of_instrument_and_bank_are_one_series():
    record = [observation(ago(20), 34, "71959-1", "{T-score}"), observation(ago(1), 41, "91721-1")]
    assert values("promis-physical-function", *record) == [34, 41]


ITEMS = ("61597-1", "61607-8", "61609-4", "61635-9")


def answered(*codes):
    return {
        i: {"valueCoding": {"system": LOINC, "code": c}} for i, c in zip(ITEMS, codes, strict=False)
    }


PROMIS = "http://loinc.org/q/62337-1"
SOME = ("LA13919-8",) * 4


def test_t_scores_are_computed_from_the_answers_to_items():
    (point,) = series("promis-physical-function", response(ago(1), answered(*SOME), PROMIS)).points
    assert point.raw == 8
    assert point.values == (Fraction("31.9"),)
    assert point.error == Fraction("2.3")
    assert point.finding.reference.startswith("QuestionnaireResponse/")


def test_a_missing_item_leaves_a_domain_without_score():
    assert values("promis-physical-function", response(ago(1), answered(*SOME[:3]), PROMIS)) == []


def test_a_score_that_the_form_states_is_not_computed_again():
    form = response(ago(1), {**answered(*SOME), "91721-1": {"valueDecimal": 33}}, PROMIS)
    (point,) = series("promis-physical-function", form).points
    assert point.values == (33,)
    assert point.raw == 8


def test_a_score_derived_from_a_form_keeps_the_raw_sum_of_its_items():
    form = response(ago(1), answered(*SOME), PROMIS)
    derived = {"derivedFrom": [{"reference": f"QuestionnaireResponse/{form['id']}"}]}
    score = observation(ago(1), 33, "91721-1", "{T-score}", **derived)
    (point,) = series("promis-physical-function", form, score).points
    assert (point.values, point.raw) == ((33,), 8)


def test_items_recorded_as_observations_of_one_day_are_scored():
    record = [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": coded(item, LOINC),
            "effectiveDateTime": ago(1),
            "valueCodeableConcept": coded(SOME[0], LOINC),
        }
        for item in ITEMS
    ]
    assert values("promis-physical-function", *record) == [31.9]
    assert values("promis-physical-function", *record[:3]) == []
    apart = [*record[:3], record[3] | {"effectiveDateTime": ago(2)}]
    assert values("promis-physical-function", *apart) == []


def item_answered(code, answer, **more):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(code, LOINC),
        "effectiveDateTime": ago(1),
        **({"valueCodeableConcept": coded(answer, LOINC)} if answer else {}),
        **more,
    }


def test_an_item_asked_again_that_day_without_an_answer_takes_no_score_away():
    given = [item_answered(item, SOME[0]) for item in ITEMS]
    refused = coded("asked-declined", "http://terminology.hl7.org/CodeSystem/data-absent-reason")
    empty = item_answered(ITEMS[0], None, dataAbsentReason=refused)
    for record in ([*given, empty], [empty, *given]):
        assert values("promis-physical-function", *record) == [31.9]
    assert values("promis-physical-function", *given[1:], empty) == []


def test_of_two_answers_to_an_item_on_one_day_the_later_counts():
    given = [item_answered(item, SOME[0]) for item in ITEMS[1:]]
    early = item_answered(ITEMS[0], "LA13921-4", effectiveDateTime=f"{ago(1)}T09:00:00-04:00")
    late = item_answered(ITEMS[0], SOME[0], effectiveDateTime=f"{ago(1)}T18:00:00-04:00")
    for record in ([*given, early, late], [late, early, *given]):
        assert values("promis-physical-function", *record) == [31.9]


@pytest.mark.parametrize(("age", "found"), [(30, "met"), (31, "not-met")])
def test_age(age, found):
    assert asks({"within": 30}, observation(ago(age), 6)) == found


def test_a_partial_date_that_straddles_the_boundary_is_unknown():
    assert asks({"within": 30}, observation("2026-02", 6)) == "unknown"
    assert asks({"within": 90}, observation("2026-02", 6)) == "unknown"
    assert asks({"within": 20}, observation("2026-01", 6)) == "not-met"


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        ({"at-least": 6}, "met"),
        ({"above": 6}, "not-met"),
        ({"at-most": 6}, "met"),
        ({"below": 6}, "not-met"),
        ({"at-least": Fraction("6.1")}, "not-met"),
        ({"above": 5, "below": 7}, "met"),
    ],
)
def test_bounds(bound, found):
    assert asks(bound, observation(ago(1), 6)) == found


def test_units_are_converted_before_they_are_compared():
    limit = {"of": "temperature", "above": Fraction("101.5")}
    assert asks(limit, observation(ago(1), 101.5, "8310-5", "[degF]")) == "not-met"
    assert asks(limit, observation(ago(1), 38.6, "8310-5", "Cel")) == "not-met"
    assert asks(limit, observation(ago(1), 38.7, "8310-5", "Cel")) == "met"


def test_the_latest_alone_is_judged():
    record = [observation(ago(9), 8), observation(ago(1), 2)]
    assert asks({"at-least": 5}, *record) == "met"
    answer = ask("measure", {**PAIN, "point": "latest", "at-least": 5}, *record)
    assert answer.status == "not-met"
    assert [(finding.value, finding.date) for finding in answer.findings] == [("2", ago(1))]


@pytest.mark.parametrize(
    ("ages", "found"),
    [
        ([10], "met"),
        ([40], "met"),
        ([41], "not-met"),
        ([3], "met"),
        ([2], "not-met"),
        ([], "not-met"),
    ],
)
def test_the_baseline_lies_in_thirty_days_before_the_first_visit_or_a_week_after(ages, found):
    record = [visit(ago(10)), *(observation(ago(age), 6) for age in ages)]
    assert asks({"point": "baseline"}, *record) == found


def test_the_baseline_is_the_latest_before_the_first_visit_else_the_first_after():
    before = [visit(ago(20)), *(observation(ago(age), age) for age in (9, 15, 20, 25))]
    before[1:] = [observation(ago(age), value) for age, value in ((15, 1), (20, 5), (25, 7))]
    (finding,) = ask("measure", {**PAIN, "point": "baseline"}, *before).findings
    assert finding.value == "5"
    after = [visit(ago(20)), observation(ago(15), 1), observation(ago(18), 3)]
    (finding,) = ask("measure", {**PAIN, "point": "baseline"}, *after).findings
    assert finding.value == "3"


def test_before_care_begins_the_order_is_the_day_of_the_baseline():
    assert asks({"point": "baseline"}, observation(ago(30), 6)) == "met"
    assert asks({"point": "baseline"}, observation(ago(31), 6)) == "not-met"
    assert asks({"point": "current"}, observation(ago(30), 6)) == "met"


@pytest.mark.parametrize(("age", "found"), [(30, "met"), (31, "not-met")])
def test_current_is_after_the_baseline_and_recent(age, found):
    record = [visit(ago(50)), observation(ago(50), 6), observation(ago(age), 4)]
    assert asks({"point": "current"}, *record) == found
    assert asks({"point": "current"}, *record[:2]) == "not-met"


def earlier_order(day, **more):
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "code": coded("97124"),
        "authoredOn": day,
        **more,
    }


@pytest.mark.parametrize(
    ("age", "order", "found"),
    [
        (19, None, "met"),
        (20, None, "not-met"),
        (9, earlier_order(ago(10)), "met"),
        (10, earlier_order(ago(10)), "not-met"),
        (10, earlier_order(ago(10), status="draft"), "met"),
        (10, earlier_order(ago(10), code=coded("97110")), "met"),
        (10, earlier_order(ago(10), performer=[{"reference": "PractitionerRole/pt"}]), "met"),
        (10, earlier_order(ago(21)), "met"),
    ],
)
def test_new_is_after_the_baseline_and_the_previous_order(age, order, found):
    record = [visit(ago(20)), observation(ago(20), 6), observation(ago(age), 5)]
    assert asks({"point": "new"}, *record, *([order] if order else [])) == found


@pytest.mark.parametrize(("age", "found"), [(50, "met"), (51, "not-met")])
def test_since_the_baseline_could_be_taken(age, found):
    assert asks({"since": "baseline"}, visit(ago(20)), observation(ago(age), 5)) == found


def test_since_the_first_visit():
    assert asks({"since": "anchor"}, visit(ago(20)), observation(ago(19), 5)) == "met"
    assert asks({"since": "anchor"}, visit(ago(20)), observation(ago(20), 5)) == "not-met"


@pytest.mark.parametrize(
    ("ages", "found"), [((1, 2), "met"), ((1, 1), "not-met"), ((1, 40), "not-met")]
)
def test_several_times_on_different_days(ages, found):
    record = [
        observation(f"{ago(age)}T0{hour}:00:00-04:00", 180, "8480-6", "mm[Hg]")
        for hour, age in enumerate(ages)
    ]
    spec = {"of": "systolic", "at-least": 180, "within": 30, "times": 2, "apart": 1}
    assert asks(spec, *record) == found


def test_flags_of_the_laboratory():
    spec = {"of": "platelets", "flagged": "low"}
    low = {"interpretation": [coded("L", "urn:i")]}
    limits = {"referenceRange": [{"low": {"value": 150}}]}
    count = observation(ago(1), 149, "777-3", "10*3/uL")
    assert asks(spec, count | low) == "met"
    assert asks(spec, count | limits) == "met"
    assert asks(spec, observation(ago(1), 150, "777-3", "10*3/uL") | limits) == "not-met"
    assert asks(spec, dict(count)) == "not-met"


def test_coded_values():
    spec = {"of": "pregnancy-status", "point": "latest", "coded-in": ["pregnant-answer"]}
    told = observation(ago(1), None, "82810-3")
    yes = told | {"valueQuantity": None, "valueCodeableConcept": coded("LA15173-0", LOINC)}
    no = told | {"valueQuantity": None, "valueCodeableConcept": coded("LA26683-5", LOINC)}
    assert asks(spec, yes) == "met"
    assert asks(spec, no) == "not-met"
    assert asks(spec, yes | {"effectiveDateTime": ago(9)}, no) == "not-met"


def test_groups_hold_several_measures():
    assert asks({"of": ["function"]}, observation(ago(1), 40, "97909-6", "%")) == "met"
    assert asks({"of": ["function"]}, observation(ago(1), 6)) == "not-met"


def test_holes():
    assert asks({}, unread=("measures",)) == "unknown"
    assert asks({"of": "odi"}, unread=("responses",)) == "unknown"
    assert asks({}, unread=("responses",)) == "unknown"
    assert asks({}, unread=("vitals",)) == "not-met"
    assert asks({"of": "temperature"}, unread=("vitals",)) == "unknown"
    assert asks({"of": "temperature"}, unread=("measures",)) == "not-met"
    assert asks({"of": "range-of-motion"}, unread=("exams",)) == "unknown"
    assert asks({}, observation(ago(1), 6), unread=("measures",)) == "met"
    assert asks({}, unread=("procedures",)) == "not-met"
    assert asks({"point": "baseline"}, unread=("procedures",)) == "unknown"


def test_evidence():
    (finding,) = ask("measure", PAIN, observation(ago(1), 6, id="o")).findings
    assert (finding.reference, finding.date, finding.value) == ("Observation/o", ago(1), "6")
    assert finding.text
    score = observation(ago(1), 57.5, "77865-4", "{T-score}")
    (finding,) = ask("measure", {"of": "promis-pain-interference"}, score).findings
    assert finding.value == "57.5 (T-score)"


def test_odd_observations_cost_only_themselves():
    names = ("status", "code", "effectiveDateTime", "issued", "valueQuantity", "component")
    more = ("derivedFrom", "interpretation", "referenceRange", "meta", "valueString")
    record = [observation(ago(2), 5) | one for one in odd("Observation", *names, *more)]
    forms = odd("QuestionnaireResponse", "item", "authored", "questionnaire")
    for position, one in enumerate(forms):
        forms[position] = response(ago(1), answered(*SOME)) | one
    assert asks({"point": "current"}, *record, *forms, observation(ago(1), 6)) == "met"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (coded("LA26683-5", LOINC), "not-met"),
        (coded("LA4489-6", LOINC), "met"),
        (coded("UNK", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"), "met"),
    ],
)
def test_a_later_answer_that_it_is_not_known_changes_nothing(answer, found):
    spec = {"of": "pregnancy-status", "point": "latest", "coded-in": ["pregnant-answer"]}
    said = [coded("LA15173-0", LOINC), answer]
    told = [
        observation(ago(age), None, "82810-3", valueQuantity=None, valueCodeableConcept=one)
        for age, one in zip((60, 3), said, strict=True)
    ]
    assert asks(spec, *told) == found
