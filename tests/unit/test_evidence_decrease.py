"""Less medication since care began: stopped, a smaller dose, or nobody can tell."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cds_service.evidence import decrease  # noqa: F401
from cds_service.evidence.dosing import Daily, daily_dose
from tests.unit.evidence_help import ago, ask, coded, odd, status, visit

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
OXYCODONE, HYDROCODONE, IBUPROFEN = "1049502", "1044427", "197805"
VISITS = (visit(ago(56)), visit(ago(7)))


def dose(amount, often, unit="mg", until=None):
    repeat = {"frequency": often, "period": 1, "periodUnit": "d"}
    if until:
        repeat["boundsPeriod"] = {"end": until}
    quantity = {"value": amount, "unit": unit}
    return {"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": quantity}]}


def medicine(began, *doses, state="active", code=OXYCODONE, **more):
    return {
        "resourceType": "MedicationRequest",
        "status": state,
        "intent": "order",
        "medicationCodeableConcept": coded(code, RXNORM),
        "authoredOn": began,
        "dosageInstruction": list(doses),
        **more,
    }


def asks(*resources, **about):
    spec = {"in": ["opioids", "nsaids"], "to-share": Fraction(7, 10)}
    return status("medication-decrease", spec, *VISITS, *resources, **about)


def before(amount, often=2, **more):
    return medicine(ago(300), dose(amount, often, until=ago(20)), state="stopped", **more)


@pytest.mark.parametrize(
    ("now", "answer"), [(14, "met"), (14.1, "not-met"), (20, "not-met"), (25, "not-met")]
)
def test_the_dose_falls_to_the_share(now, answer):
    assert asks(before(20), medicine(ago(19), dose(now, 2))) == answer


def test_fewer_doses_a_day_count():
    assert asks(before(20, 4), medicine(ago(19), dose(20, 2))) == "met"


def test_stopped_since_care_began():
    assert asks(before(20)) == "met"


@pytest.mark.parametrize(
    ("state", "answer"), [("stopped", "unknown"), ("on-hold", "unknown"), ("completed", "not-met")]
)
def test_an_end_that_nobody_wrote_down(state, answer):
    assert asks(medicine(ago(300), state=state)) == answer


def test_stopped_before_care_is_no_decrease():
    ended = dose(20, 2, until=ago(57))
    assert asks(medicine(ago(300), ended, state="stopped")) == "not-met"


def test_begun_during_care_is_no_decrease():
    assert asks(medicine(ago(40), dose(20, 2))) == "not-met"
    ended = medicine(ago(40), dose(20, 2, until=ago(20)), state="stopped")
    assert asks(ended) == "not-met"


def test_running_unchanged():
    assert asks(medicine(ago(300), dose(20, 2))) == "not-met"


def test_one_order_whose_doses_fall_may_have_reached_the_share():
    first = {**dose(20, 2, until=ago(30)), "sequence": 1}
    assert asks(medicine(ago(300), first, {**dose(10, 2), "sequence": 2})) == "unknown"
    assert asks(medicine(ago(300), first, {**dose(20, 2), "sequence": 2})) == "not-met"


@pytest.mark.parametrize(
    "now",
    [
        medicine(ago(19)),
        medicine(ago(19), dose(2, 2, unit="tablet")),
        medicine(ago(19), dose(5, 2), code=HYDROCODONE),
    ],
    ids=["no dose", "another unit", "another medicine"],
)
def test_doses_that_cannot_be_compared(now):
    assert asks(before(20), now) == "unknown"


def test_another_kind_that_begins_outweighs_the_fall():
    stopped = before(400, code=IBUPROFEN)
    assert asks(stopped) == "met"
    assert asks(stopped, medicine(ago(10), dose(10, 2))) == "not-met"
    assert asks(stopped, medicine(ago(300), dose(10, 2))) == "met"


def test_before_care_nothing_is_compared():
    spec = {"in": ["opioids"], "to-share": Fraction(7, 10)}
    assert status("medication-decrease", spec, before(20)) == "not-met"


def test_what_could_not_be_read():
    spec = {"in": ["opioids"], "to-share": Fraction(7, 10)}
    answer = ask("medication-decrease", spec, *VISITS, before(20), unread=("medications",))
    assert (answer.status, len(answer.holes)) == ("unknown", 1)
    assert asks(unread=("procedures",)) == "unknown"


@pytest.mark.parametrize(
    ("timing", "amount"),
    [
        ({"repeat": {"frequency": 1, "period": 12, "periodUnit": "h"}}, 20),
        ({"repeat": {"frequency": 7, "period": 1, "periodUnit": "wk"}}, 10),
        ({"repeat": {"frequency": 1, "frequencyMax": 3, "period": 1, "periodUnit": "d"}}, 30),
        ({"code": {"coding": [{"code": "BID"}]}}, 20),
        ({"code": {"coding": [{"code": "PRN"}]}}, None),
        ({"repeat": {"frequency": 1, "period": 0, "periodUnit": "d"}}, None),
        ({}, None),
    ],
)
def test_daily_dose(timing, amount):
    given = {"doseAndRate": [{"doseQuantity": {"value": 10, "code": "mg"}}], "timing": timing}
    expected = None if amount is None else Daily(amount, amount, "mg")
    assert daily_dose({"dosageInstruction": [given]}) == expected


def test_several_doses_add_up_in_one_unit():
    assert daily_dose({"dosageInstruction": [dose(10, 1), dose(20, 1)]}) == Daily(30, 30, "mg")
    assert daily_dose({"dosageInstruction": [dose(10, 1), dose(1, 1, unit="tablet")]}) is None
    assert daily_dose({"dosageInstruction": [dose(10, 1), {"text": "as needed"}]}) is None


def test_odd_resources_change_nothing():
    names = ("medicationCodeableConcept", "dosageInstruction", "authoredOn", "status")
    assert asks(*odd("MedicationRequest", *names), before(20)) == "met"
