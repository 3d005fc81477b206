"""Medicines by ingredient or product, active, in time or for days."""

from __future__ import annotations

import pytest

from cds_service.evidence import medications  # noqa: F401
from tests.unit.evidence_help import ago, ask, coded, odd, status

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
APIXABAN_PRODUCT, APIXABAN = "1364445", "1364430"


def medicine(day, state="active", code=APIXABAN_PRODUCT, **more):
    return {
        "resourceType": "MedicationRequest",
        "status": state,
        "intent": "order",
        "medicationCodeableConcept": coded(code, RXNORM),
        "authoredOn": day,
        **more,
    }


def asks(spec, *resources, **about):
    return status("medication", {"in": ["anticoagulants"], **spec}, *resources, **about)


def until(day):
    return {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": day}}}}]}


@pytest.mark.parametrize("code", [APIXABAN_PRODUCT, APIXABAN])
def test_ingredient_and_product(code):
    assert asks({}, medicine(ago(5), code=code)) == "met"


def test_another_medicine():
    assert asks({}, medicine(ago(5), code="1")) == "not-met"


def test_a_medicine_in_its_own_resource_contained_or_as_an_ingredient():
    whole = {"resourceType": "Medication", "id": "m", "code": coded(APIXABAN_PRODUCT, RXNORM)}
    mixed = {
        "resourceType": "Medication",
        "id": "m",
        "ingredient": [{"itemCodeableConcept": coded(APIXABAN, RXNORM)}],
    }
    named = {"medicationCodeableConcept": None}
    apart = medicine(ago(5), medicationReference={"reference": "Medication/m"}, **named)
    inside = medicine(ago(5), medicationReference={"reference": "#m"}, contained=[mixed], **named)
    assert asks({}, apart, whole) == "met"
    assert asks({}, {**apart, "id": "x"}, mixed) == "met"
    assert asks({}, inside) == "met"
    assert (
        asks({}, medicine(ago(5), medicationReference={"reference": "#no"}, **named)) == "not-met"
    )


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, "met"),
        ({"status": "stopped"}, "not-met"),
        ({"status": "completed"}, "not-met"),
        ({"status": "on-hold"}, "not-met"),
        ({"status": "cancelled"}, "not-met"),
        ({"status": "draft"}, "not-met"),
        ({"intent": "proposal"}, "not-met"),
        ({"intent": "option"}, "not-met"),
        ({"intent": "filler-order"}, "met"),
        ({"intent": "proposal", "reportedBoolean": True}, "not-met"),
        ({"intent": "plan"}, "met"),
        ({"intent": "plan", "reportedBoolean": False}, "not-met"),
        ({"intent": "plan", "requester": {"reference": "Practitioner/x"}}, "not-met"),
        ({"intent": "plan", "reportedBoolean": True}, "met"),
        ({"intent": "plan", "reportedBoolean": True, "status": "stopped"}, "not-met"),
        ({"intent": "plan", "reportedReference": {"reference": "Patient/p"}}, "met"),
        ({"intent": "plan", "requester": {"reference": "Patient/p"}}, "met"),
        ({"doNotPerform": True}, "not-met"),
        ({"authoredOn": ago(-1)}, "not-met"),
        ({"authoredOn": None}, "met"),
        (until(ago(0)), "met"),
        (until(ago(1)), "not-met"),
    ],
)
def test_active(change, found):
    assert asks({"active": True}, medicine(ago(5), **{"state": "active"}) | change) == found


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        (medicine(ago(300)), "met"),
        (medicine(ago(30), "stopped"), "met"),
        (medicine(ago(31), "stopped"), "not-met"),
        (medicine(ago(90), "completed", **until(ago(30))), "met"),
        (medicine(ago(90), "completed", **until(ago(31))), "not-met"),
    ],
)
def test_in_the_last_days(resource, found):
    assert asks({"within": 30}, dict(resource)) == found


@pytest.mark.parametrize(
    ("courses", "found"),
    [
        ([medicine(ago(89))], "met"),
        ([medicine(ago(88))], "not-met"),
        ([medicine(ago(120), "completed", **until(ago(31)))], "met"),
        ([medicine(ago(120), "completed", **until(ago(32)))], "not-met"),
        ([medicine(ago(400), "completed", **until(ago(91)))], "met"),
        ([medicine(ago(400), "completed", **until(ago(92)))], "not-met"),
        ([medicine(ago(120), "stopped")], "unknown"),
        ([medicine(ago(80), "stopped")], "not-met"),
        (
            [
                medicine(ago(120), "completed", **until(ago(61))),
                medicine(ago(60), "completed", **until(ago(31))),
            ],
            "met",
        ),
        (
            [
                medicine(ago(120), "completed", **until(ago(61))),
                medicine(ago(100), "completed", **until(ago(61))),
            ],
            "not-met",
        ),
        ([medicine(None)], "unknown"),
    ],
)
def test_exposure_of_ninety_days_in_a_hundred_and_eighty(courses, found):
    record = [dict(one) for one in courses]
    assert asks({"for": 90, "within": 180}, *record) == found


def test_days_supplied_tell_when_a_course_ended():
    supply = {
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 2,
            "expectedSupplyDuration": {"value": 30, "code": "d"},
        }
    }
    spec = {"for": 90, "within": 180}
    assert asks(spec, medicine(ago(120), "completed", **supply)) == "met"
    supply["dispenseRequest"]["numberOfRepeatsAllowed"] = 1
    assert asks(spec, medicine(ago(120), "completed", **supply)) == "not-met"
    supply["dispenseRequest"]["expectedSupplyDuration"] = {"value": 2, "unit": "months"}
    assert asks(spec, medicine(ago(120), "completed", **supply)) == "met"
    supply["dispenseRequest"]["numberOfRepeatsAllowed"] = 10**9
    assert asks(spec, medicine(ago(120), "completed", **supply)) == "met"


def test_evidence_and_holes():
    spec = {"in": ["anticoagulants"], "active": True}
    (finding,) = ask("medication", spec, medicine(ago(5), id="m")).findings
    assert (finding.reference, finding.date) == ("MedicationRequest/m", ago(5))
    assert finding.value == f"{APIXABAN_PRODUCT} (active)"
    assert finding.text
    assert asks({}, unread=("medications",)) == "unknown"
    assert asks({}, medicine(ago(5)), unread=("medications",)) == "met"


def test_odd_medicines_cost_only_themselves():
    names = (
        "status",
        "intent",
        "medicationCodeableConcept",
        "medicationReference",
        "contained",
        "authoredOn",
        "dosageInstruction",
        "dispenseRequest",
    )
    record = odd("MedicationRequest", *names)
    for one in record:
        one.setdefault("status", "active")
        one.setdefault("medicationReference", {"reference": "#a"})
    strange = medicine(
        ago(5),
        "completed",
        dispenseRequest={"expectedSupplyDuration": {"value": 1e300, "code": "d"}},
        dosageInstruction=[{"timing": {"repeat": 3}}, 4],
    )
    assert asks({"for": 90, "within": 180}, *record, strange) == "not-met"


def test_medicines_left_out():
    both = medicine(ago(5))
    assert asks({"not-in": ["antiplatelets"]}, both) == "met"
    assert asks({"not-in": ["anticoagulants"]}, both) == "not-met"


def doses(*listed):
    """Return doses of prednisone: (sequence, mg a day, bounds)."""
    return {
        "dosageInstruction": [
            {
                "sequence": place,
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", **bounds}},
                "doseAndRate": [{"doseQuantity": {"value": amount, "unit": "mg"}}],
            }
            for place, amount, bounds in listed
        ]
    }


def for_days(number):
    return {"boundsDuration": {"value": number, "unit": "days"}}


def up_to(day):
    return {"boundsPeriod": {"end": day}}


ENDLESS: dict[str, object] = {}


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([(1, 10, for_days(5))], "met"),
        ([(1, 10, for_days(4))], "not-met"),
        ([(1, 10, for_days(2)), (2, 5, for_days(3))], "met"),
        ([(1, 10, for_days(2)), (2, 5, for_days(2))], "not-met"),
        ([(1, 10, for_days(2)), (1, 5, for_days(3))], "not-met"),
        ([(1, 10, for_days(2)), (2, 5, ENDLESS)], "met"),
        ([(1, 10, up_to(ago(1))), (2, 5, ENDLESS)], "met"),
        ([(1, 10, up_to(ago(1))), (2, 5, up_to(ago(1)))], "not-met"),
        ([(1, 10, {"boundsRange": {"high": {"value": 5, "code": "d"}}})], "met"),
        ([(1, 10, for_days(1e9))], "met"),
    ],
)
def test_doses_tell_until_when_a_medicine_is_active(listed, found):
    """Today is the fifth day of the course."""
    assert asks({"active": True}, medicine(ago(4), **doses(*listed))) == found


PREDNISONE = "8640"


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([(1, 20, ENDLESS)], "met"),
        ([(1, 19, ENDLESS)], "not-met"),
        ([(1, 10, ENDLESS), (1, 10, ENDLESS)], "met"),
        ([(1, 10, ENDLESS), (2, 10, ENDLESS)], "met"),
        ([(1, 10, up_to(ago(-9))), (2, 10, up_to(ago(-9)))], "met"),
        ([(1, 15, for_days(5)), (2, 10, for_days(5)), (3, 5, for_days(5))], "not-met"),
        ([(1, 60, for_days(5)), (2, 40, for_days(5)), (3, 20, for_days(5))], "met"),
        ([(1, 40, for_days(5)), (2, 10, for_days(5))], "unknown"),
    ],
)
def test_doses_that_follow_each_other_are_not_added_up(listed, found):
    taken = medicine(ago(4), code=PREDNISONE, **doses(*listed))
    assert status("medication", {"in": ["prednisone"], "daily-mg": 20}, taken) == found


def by(*routes):
    return {"dosageInstruction": [{"route": one} for one in routes]}


TOPICAL = {"coding": [{"system": "http://snomed.info/sct", "code": "6064005"}]}
ORAL = {"coding": [{"system": "http://snomed.info/sct", "code": "26643006", "display": "Oral"}]}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "met"),
        (by(TOPICAL), "not-met"),
        (by(ORAL), "met"),
        (by(TOPICAL, ORAL), "met"),
        (by({"text": "Both Eyes"}), "not-met"),
        (by({"text": "Oral"}) | {"medicationCodeableConcept": {"text": "PREDNISONE CREAM"}}, "met"),
        ({"medicationCodeableConcept": {"text": "hydrocortisone 1 % TOPICAL CREAM"}}, "not-met"),
        ({"medicationCodeableConcept": {"text": "Creamopred tablets"}}, "met"),
    ],
)
def test_what_acts_where_it_is_put_is_passed_over_where_asked(more, found):
    named = coded("5492", RXNORM) | more.pop("medicationCodeableConcept", {})
    taken = medicine(ago(5), medicationCodeableConcept=named, **more)
    spec = {"in": ["corticosteroids"], "active": True}
    assert status("medication", {**spec, "systemic": True}, dict(taken)) == found
    assert status("medication", spec, dict(taken)) == "met"


def test_the_form_of_a_medicine_in_its_own_resource():
    cream = {"resourceType": "Medication", "id": "m", "form": {"text": "Cream"}}
    apart = {
        "medicationCodeableConcept": None,
        "medicationReference": {"reference": "Medication/m"},
    }
    spec = {"in": ["corticosteroids"], "systemic": True}
    for form, found in (({}, "met"), (cream, "not-met")):
        whole = {**cream, "form": None, "code": coded("5492", RXNORM), **form}
        assert status("medication", spec, medicine(ago(5), **apart), whole) == found
