"""Where a diagnosis lies, what it began beside, and what orders say of place and last visit."""

import pytest

from cds_service.evidence import vocabulary
from tests.unit.evidence_facts import timing
from tests.unit.evidence_help import DAY, ICD, ago, coded, count, status

vocabulary.load()
SNOMED = "http://snomed.info/sct"


def diagnosis(code, days=5, **more):
    known = {"resourceType": "Condition", "id": code, "code": coded(code, ICD)}
    known |= {"clinicalStatus": coded("active", "http://hl7.org/fhir")}
    return known | {"recordedDate": ago(days)} | more


def order(**more):
    made = {"resourceType": "ServiceRequest", "id": "o", "status": "draft", "code": coded("97124")}
    return made | {"authoredOn": DAY.isoformat()} | more


@pytest.mark.parametrize(
    ("code", "regions", "expected"),
    [
        ("M25.511", ["shoulder"], "met"),
        ("M25.511", ["neck", "hip"], "not-met"),
        ("M79.601", ["upper-arm"], "unknown"),
        ("R60.0", ["shoulder"], "not-met"),
        ("R60.0", ["shoulder", "not-known"], "met"),
    ],
)
def test_region(code, regions, expected):
    spec = {"use": "safety", "region": regions}
    assert status("condition", spec, diagnosis(code), orders=(order(),)) == expected


def test_one_sided():
    leg = [{"text": "left lower leg", **coded("30021000", SNOMED)}]
    spec = {"in": ["localized-edema"], "one-sided": True}
    placed = diagnosis("R60.0", bodySite=leg)
    assert status("condition", spec, placed, orders=(order(),)) == "met"
    assert status("condition", spec, diagnosis("R60.0"), orders=(order(),)) == "not-met"


@pytest.mark.parametrize(
    ("pain", "expected"),
    [
        (ago(35), "met"),
        (ago(36), "not-met"),
        (ago(5), "met"),
        ("2026", "unknown"),
        ("2010", "not-met"),
    ],
)
def test_beside(pain, expected):
    found = [diagnosis("N31.9", 5), diagnosis("M54.2", onsetDateTime=pain)]
    spec = {"in": ["bladder-dysfunction"], "beside": {"in": ["neck-pain"], "days": 30}}
    assert status("condition", spec, *found, orders=(order(),)) == expected


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ([coded("30021000", SNOMED)], "met"),
        ([coded("61685007", SNOMED)], "unknown"),
        ([coded("45048000", SNOMED)], "not-met"),
        ([{"text": "where it hurts"}], "unknown"),
        ([], "not-met"),
    ],
)
def test_site_in(site, expected):
    given = order(bodySite=site)
    assert status("order", {"site-in": ["lower-leg"]}, orders=(given,)) == expected


@pytest.mark.parametrize(
    ("reasons", "system", "expected"),
    [
        ([coded("K80.20", ICD)], "icd-10-cm", "met"),
        ([coded("235919008", SNOMED)], "icd-10-cm", "not-met"),
        ([coded("235919008", SNOMED)], "snomed-ct", "met"),
        ([coded("K80.20", ICD), {"text": "pain"}], "icd-10-cm", "not-met"),
        ([], "icd-10-cm", "not-met"),
    ],
)
def test_reason_system(reasons, system, expected):
    given = order(reasonCode=reasons)
    assert status("reason", {"system": system}, orders=(given,)) == expected


@pytest.mark.parametrize(("spec", "expected"), [({}, "unknown"), ({"coded-only": True}, "not-met")])
def test_reasons_in_words_can_be_passed_over(spec, expected):
    reasons = [coded("M54.2", ICD), {"text": "tension"}]
    given = order(reasonCode=reasons)
    assert status("reason", {"in": ["hip-pain"]} | spec, orders=(given,)) == expected


@pytest.mark.parametrize(
    ("stated", "last"),
    [
        (timing(count=1), 0),
        (timing(count=4, frequency=1, period=1, periodUnit="wk"), 21),
        (timing(count=3, frequency=2, period=1, periodUnit="wk"), 7),
        (
            timing(count=4, frequency=1, period=1, periodUnit="wk", boundsPeriod={"end": ago(-14)}),
            14,
        ),
        (timing(count=4, boundsPeriod={"end": ago(-30)}), 30),
        (timing(count=4), None),
        ({}, None),
    ],
)
def test_last_ordered_visit(stated, last):
    assert count("order.last-day", orders=(order(**stated),)).value == last


@pytest.mark.parametrize(
    ("bounds", "given", "first", "last"),
    [
        ({}, (), 0, 21),
        ({"start": ago(-14)}, (), 0, 21),
        ({"start": ago(14)}, (), 0, 21),
        ({"start": ago(-14), "end": ago(-21)}, (), 0, 7),
        ({}, (10, 3), 10, 31),
        ({"start": ago(-14)}, (10, 3), 24, 45),
    ],
)
def test_days_of_the_course_of_the_first_and_last_ordered_visit(bounds, given, first, last):
    stated = timing(count=4, frequency=1, period=1, periodUnit="wk", boundsPeriod=bounds)
    visits = [visit(days, "completed") for days in given]
    found = [
        count(name, *visits, orders=(order(**stated),)).value
        for name in ("course.first-visit", "course.last-visit")
    ]
    assert found == [first, last]


def test_an_order_that_states_no_start_may_begin_at_once():
    weekly = {"count": 4, "frequency": 1, "period": 1, "periodUnit": "wk"}
    later = order(**timing(**weekly, boundsPeriod={"start": ago(-14)}))
    orders = (later, order(**timing(**weekly)) | {"id": "o2"})
    assert count("course.last-visit", orders=orders).value == 35
    assert count("course.last-visit", orders=(order(),)).value is None


def visit(days, status):
    done = {"resourceType": "Procedure", "id": f"v{days}", "status": status, "code": coded("97124")}
    return done | {"performedDateTime": ago(days)}


@pytest.mark.parametrize(
    ("missed", "expected"),
    [((), 0), ((3,), 1), ((3, 10), 2), ((1, 3, 50), 2), ((-2,), 0), ((7,), 0)],
)
def test_missed_visits_among_the_latest_planned(missed, expected):
    given = [visit(days, "completed") for days in (7, 14, 21, 28)]
    planned = [visit(days, "not-done") for days in missed]
    numbers = {"recent-planned-visits": 6}
    found = count("visits.missed-recent", *given, *planned, orders=(order(),), numbers=numbers)
    assert found.value == expected


def other(**more):
    referral = {"resourceType": "ServiceRequest", "id": "r", "status": "active"}
    return referral | {"authoredOn": ago(2), "code": {"text": "Neurology referral"}} | more


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"priority": "urgent", "reasonCode": [coded("M54.2", ICD)]}, "met"),
        ({"priority": "urgent", "reasonReference": [{"reference": "Condition/M54.2"}]}, "met"),
        ({"priority": "routine", "reasonCode": [coded("M54.2", ICD)]}, "not-met"),
        ({"priority": "stat", "reasonCode": [coded("H52.1", ICD)]}, "not-met"),
        ({"priority": "stat"}, "not-met"),
    ],
)
def test_urgent_referral_for_the_same_problem(more, expected):
    spec = {"priority": ["urgent", "stat"], "same-reason": True}
    given = order(reasonCode=[coded("M54.2", ICD)])
    found = status("other-order", spec, diagnosis("M54.2"), other(**more), orders=(given,))
    assert found == expected


@pytest.mark.parametrize(("dose", "expected"), [(20, "met"), (19, "not-met"), (None, "unknown")])
def test_daily_dose(dose, expected):
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    repeat = {"frequency": 1, "period": 1, "periodUnit": "d"}
    quantity = [{"doseQuantity": {"value": dose, "unit": "mg"}}] if dose else []
    taken = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": coded("312617", rxnorm),
        "authoredOn": ago(40),
        "dosageInstruction": [{"timing": {"repeat": repeat}, "doseAndRate": quantity}],
    }
    spec = {"in": ["prednisone"], "active": True, "daily-mg": 20}
    assert status("medication", spec, taken) == expected


def test_medicines_can_be_left_out():
    taken = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": coded("312617", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    }
    assert status("medication", {"in": ["corticosteroids"]}, taken) == "met"
    spec = {"in": ["corticosteroids"], "not-in": ["prednisone"]}
    assert status("medication", spec, taken) == "not-met"
