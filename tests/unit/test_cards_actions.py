"""Clicks: each can be made good, echoes the order, and is valid FHIR."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from fhir.resources.R4B import get_fhir_model_class
from msgspec.structs import replace

from cards import action_keys, render
from cards.actions import Wish, suggest, suggestions_of
from cards.words import WORDS
from cds_service.evaluation import Amount
from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Facts
from cds_service.evidence.scope import scope_of
from cds_service.record.model import PatientRecord
from cds_service.terminology import Terminology
from tests.unit.cards_examples import (
    CHRONIC_PAIN,
    CLOT,
    DAY,
    criterion,
    evaluation,
    item,
    k4,
    order,
    record,
    request,
    six_visits_four_supported,
)

LIBRARY = Path(__file__).parents[2] / "cds_service" / "policies" / "library"
FOUR = Amount(Fraction(4), "visits")
CONDITION = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "G89.29"}],
             "text": "Chronic low back pain"},
    "bodySite": [{"text": "low back"}],
}  # fmt: skip
UNITS = {"value": 6, "unit": "15-minute unit", "system": "http://unitsofmeasure.org"}


def wish(key: str, *orders: str, **more: Any) -> Wish:
    given = {"note": "Why", "item": "What", "evidence": (CHRONIC_PAIN, CLOT), **more}
    return Wish(key=key, orders=orders or ("ServiceRequest/sr-1",), **given)


def steps(key: str, call: Any = None, *orders: str, **more: Any) -> list[dict[str, Any]]:
    made = suggest(wish(key, *orders, **more), call or request())
    return made["actions"] if made else []


@pytest.mark.parametrize("key", sorted(action_keys()))
@pytest.mark.parametrize("user", ["Practitioner/dr", None])
def test_every_resource_is_valid_r4_and_names_the_patient(key, user):
    code = "97122" if key == "replace-deleted-code" else "97124"
    call = request(order(code=code, quantityQuantity=UNITS), user=user, record=record(CONDITION))
    amount = Amount(Fraction(4), "units") if "units" in key else FOUR
    made = suggest(
        wish(key, evidence=(CHRONIC_PAIN,), amount=amount, questionnaire="http://x/Q|1"), call
    )
    assert made
    assert 5 < len(made["label"]) <= 60
    for step in made["actions"]:
        assert len(step["description"]) > 10
        resource = step.get("resource")
        if resource is None:
            assert step["type"] == "delete"
            continue
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        subject = resource.get("subject") or resource["for"]
        assert subject == {"reference": "Patient/p1"}
        if step["type"] == "create":
            assert resource["status"] == "draft"
            assert resource["intent"] in ("order", "proposal")
            if key != "split-visits":
                assert ("requester" in resource) == (user is not None)


def test_referral_carries_reason_and_evidence():
    [refer, _] = render([k4()], request(encounter="Encounter/e1"))[0]["suggestions"]
    made = refer["actions"][0]["resource"]
    assert made["reasonReference"] == [{"reference": "Condition/clot"}]
    assert "Acute DVT right leg I82.401, 2026-03-14" in made["note"][0]["text"]
    assert made["authoredOn"] == "2026-03-16"
    assert made["encounter"] == {"reference": "Encounter/e1"}


def test_what_has_no_id_is_no_reason_reference():
    nameless = (Finding("Condition/?", None, "I82.401", "DVT"),)
    assert "reasonReference" not in steps("refer-pcp", evidence=nameless)[0]["resource"]
    both = (*nameless, Finding("Condition/clot", None, "I82.401", "DVT"))
    [step] = steps("refer-pcp", evidence=both)
    assert step["resource"]["reasonReference"] == [{"reference": "Condition/clot"}]


def test_an_order_is_no_reason_reference():
    stated = (Finding("ServiceRequest/sr-1", None, "I82.401", "DVT"),)
    assert "reasonReference" not in steps("refer-pcp", evidence=stated)[0]["resource"]


def test_reduce_visits_echoes_the_whole_order():
    [card] = render([six_visits_four_supported()], request())
    [suggestion] = card["suggestions"]
    assert suggestion["label"] == "Reduce to 4 visits"
    [step] = suggestion["actions"]
    expected = order()
    expected["occurrenceTiming"]["repeat"]["count"] = 4
    assert step["type"] == "update"
    assert step["resource"] == expected


def test_the_received_order_is_never_changed():
    received = order()
    render([six_visits_four_supported()], request(received))
    assert received == order()


def test_split_adds_a_second_order_for_the_rest():
    split = item("CCA-V1", "A second request after a repeat assessment", action="split-visits")
    found = replace(six_visits_four_supported(), missing=(split,))
    [suggestion] = render([found], request())[0]["suggestions"]
    update, create = suggestion["actions"]
    assert update["resource"]["occurrenceTiming"]["repeat"]["count"] == 4
    assert create["type"] == "create"
    assert create["resource"]["occurrenceTiming"]["repeat"]["count"] == 2
    assert "id" not in create["resource"]
    assert create["resource"]["extension"] == order()["extension"]
    assert suggestion["label"] == "Split: 4 now, 2 in a second order"


WEEKLY = {"frequency": 1, "period": 1, "periodUnit": "wk"}


def test_words_beside_the_parts_of_a_timing_do_not_tell_the_old_numbers():
    often = WEEKLY | {"frequency": 3}
    said = {"code": {"text": "3x/week, 12 visits"}}
    call = request(order(occurrenceTiming={"repeat": {"count": 12, **often}, **said}))
    update, create = steps("split-visits", call, amount=FOUR)
    assert update["resource"]["occurrenceTiming"] == {"repeat": {"count": 4, **often}}
    assert create["resource"]["occurrenceTiming"] == {"repeat": {"count": 8, **often}}
    [step] = steps("change-frequency", call)
    assert step["resource"]["occurrenceTiming"] == {"repeat": {"count": 12, **WEEKLY}}


@pytest.mark.parametrize("text", ["3x/week for 4 weeks, 12 visits", "3x/week as needed"])
def test_an_order_that_says_more_in_words_is_left_to_the_clinician(text):
    often = WEEKLY | {"frequency": 3}
    call = request(
        order(occurrenceTiming={"repeat": {"count": 12, **often}, "code": {"text": text}})
    )
    assert steps("split-visits", call, amount=FOUR) == []
    assert steps("change-frequency", call) == []


def test_a_code_without_words_stays_where_only_the_number_changes():
    coded = {"repeat": {"count": 12}, "code": {"coding": [{"code": "WK"}]}}
    [step] = steps("reduce-visits", request(order(occurrenceTiming=coded)), amount=FOUR)
    assert step["resource"]["occurrenceTiming"] == coded | {"repeat": {"count": 4}}


def test_visits_that_are_told_twice_are_brought_down_twice():
    twelve = {"quantityQuantity": {"value": 12, "unit": "visits"}}
    call = request(order(occurrenceTiming={"repeat": {"count": 12}}, **twelve))
    update, create = steps("split-visits", call, amount=FOUR)
    for step, visits in ((update, 4), (create, 8)):
        assert step["resource"]["occurrenceTiming"]["repeat"]["count"] == visits
        assert step["resource"]["quantityQuantity"]["value"] == visits


def test_once_a_week_is_not_on_two_days_of_it():
    call = request(order(occurrenceTiming={"repeat": {"dayOfWeek": ["mon", "thu"]}}))
    [step] = steps("change-frequency", call)
    assert step["resource"]["occurrenceTiming"] == {"repeat": WEEKLY}


def test_an_order_is_split_once():
    first = order("a", occurrenceTiming={"repeat": {"count": 1}})
    rest = order("b", occurrenceTiming={"repeat": {"count": 5}})
    both = ("ServiceRequest/a", "ServiceRequest/b")
    assert steps("split-visits", request(first, rest), *both, amount=FOUR) == []
    elsewhere = first | {"bodySite": [{"text": "neck"}]}
    assert steps("split-visits", request(elsewhere, rest), *both, amount=FOUR)


def test_what_a_payer_asserts_of_an_order_is_not_said_of_the_rest():
    url = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
    asserted = {"url": url, "extension": [{"url": "covered", "valueCode": "covered"}]}
    own = order()["extension"]
    _, create = steps("split-visits", request(order(extension=[asserted, *own])), amount=FOUR)
    assert create["resource"]["extension"] == own
    _, create = steps("split-visits", request(order(extension=[asserted])), amount=FOUR)
    assert "extension" not in create["resource"]


def test_one_visit_is_one_visit():
    one = Amount(Fraction(1), "visits")
    assert suggest(wish("reduce-visits", amount=one), request())["label"] == "Reduce to 1 visit"


def test_visits_in_the_quantity():
    visits = {"value": 8, "unit": "visits"}
    [step] = steps("reduce-visits", request(order(quantityQuantity=visits, occurrenceTiming=None)),
                   amount=FOUR)  # fmt: skip
    assert step["resource"]["quantityQuantity"] == {"value": 4, "unit": "visits"}


def test_units_are_not_visits():
    call = request(order(quantityQuantity=UNITS, occurrenceTiming=None))
    assert steps("reduce-visits", call, amount=FOUR) == []
    [step] = steps("reduce-units", call, amount=Amount(Fraction(4), "units"))
    assert step["resource"]["quantityQuantity"]["value"] == 4


def test_units_of_several_codes_are_left_to_the_clinician():
    call = request(order("a", quantityQuantity=UNITS), order("b", quantityQuantity=UNITS))
    both = ("ServiceRequest/a", "ServiceRequest/b")
    assert steps("reduce-units", call, *both, amount=Amount(Fraction(4), "units")) == []


@pytest.mark.parametrize(
    "key", ["reduce-visits", "change-frequency", "add-reason", "withdraw-order"]
)
@pytest.mark.parametrize("identity", [None, "", 5])
def test_an_order_without_id_is_never_changed_or_removed(key, identity):
    call = dataclasses.replace(
        request(record=record(CONDITION)), orders={"#0": order() | {"id": identity}}
    )
    assert steps(key, call, "#0", amount=FOUR, evidence=(CHRONIC_PAIN,)) == []
    assert steps("order-promis-29", call, "#0")


def test_a_group_with_one_order_without_id_is_not_withdrawn():
    call = request(order("sr-1"), order(None))
    assert steps("withdraw-order", call, "ServiceRequest/sr-1", "#1") == []


def test_a_lower_frequency_takes_the_time_that_the_visits_take():
    repeat = {"count": 12, "frequency": 3, "period": 1, "periodUnit": "wk"}
    bounds = {"boundsPeriod": {"start": "2026-03-16", "end": "2026-04-13"}}
    [step] = steps("spread-visits", request(order(occurrenceTiming={"repeat": repeat | bounds})))
    assert step["resource"]["occurrenceTiming"]["repeat"] == repeat | {"frequency": 1}
    uncounted = {"frequency": 3, "period": 1, "periodUnit": "wk", **bounds}
    [step] = steps("spread-visits", request(order(occurrenceTiming={"repeat": uncounted})))
    assert step["resource"]["occurrenceTiming"]["repeat"] == uncounted | {"frequency": 1}


def test_frequency():
    [step] = steps("change-frequency")
    repeat = step["resource"]["occurrenceTiming"]["repeat"]
    assert (repeat["frequency"], repeat["period"], repeat["periodUnit"]) == (1, 1, "wk")
    assert repeat["count"] == 6


def test_reason_only_when_one_diagnosis_fits():
    other = CONDITION | {"id": "c2"}
    one = request(record=record(CONDITION, other))
    [step] = steps("add-reason", one, evidence=(CHRONIC_PAIN,))
    assert step["resource"]["reasonReference"] == [{"reference": "Condition/c1"}]
    assert step["resource"]["reasonCode"] == [CONDITION["code"]]
    assert "Chronic low back pain" in step["description"]
    second = replace(CHRONIC_PAIN, reference="Condition/c2")
    assert steps("add-reason", one, evidence=(CHRONIC_PAIN, second)) == []
    assert steps("add-reason", request(), evidence=(CHRONIC_PAIN,)) == []
    suspected = replace(CHRONIC_PAIN, suspected=True)
    assert steps("add-reason", one, evidence=(suspected,)) == []


def test_a_reason_already_given_is_not_added_again():
    given = order(reasonReference=[{"reference": "Condition/c1"}])
    call = request(given, record=record(CONDITION))
    assert steps("add-reason", call, evidence=(CHRONIC_PAIN,)) == []


def test_the_coverage_card_takes_the_reason_from_criteria_that_are_met():
    found = evaluation(
        criteria=(criterion("A", "met", "Diagnosis", CHRONIC_PAIN),),
        missing=(item("CCA-D1a", "Cause of the discomfort", action="add-reason"),),
    )
    [card] = render([found], request(record=record(CONDITION)))
    assert card["suggestions"][0]["actions"][0]["type"] == "update"


def test_deleted_code_is_replaced_and_nothing_else():
    [step] = steps("replace-deleted-code", request(order(code="97122")))
    assert step["resource"] == order(code="97140")
    assert steps("replace-deleted-code", request(order(code="97124"))) == []


def test_type_of_service_is_added_to_other_categories():
    [step] = steps("state-type-of-service", request(order(category=[{"text": "Rehab"}])))
    assert step["resource"]["category"] == [{"text": "Rehab"}, {"text": "Massage"}]


def test_a_referral_is_about_the_finding_not_the_diagnosis():
    pregnancy = replace(CLOT, reference="Condition/preg", text="Pregnancy")
    found = replace(
        evaluation(
            criteria=(criterion("A", "met", "Diagnosis", CHRONIC_PAIN),),
            missing=(item("D7", "Consult", action="refer-obgyn"),),
        ),
        safety=(replace(k4().safety[0], suggests=(), evidence=(pregnancy,)),),
    )
    cards = render([found], request())
    [made] = [one for card in cards for one in card.get("suggestions", [])]
    assert made["actions"][0]["resource"]["reasonReference"] == [{"reference": "Condition/preg"}]


def test_site_comes_from_the_one_diagnosis():
    [step] = steps("set-site", request(record=record(CONDITION)), evidence=(CHRONIC_PAIN,))
    assert step["resource"]["bodySite"] == [{"text": "low back"}]


def test_two_changes_to_one_order_are_not_offered_together():
    missing = (
        item("CCA-V4", "Once a week", action="change-frequency"),
        item("CCA-D1a", "Cause", action="add-reason"),
        item("CCA-D2", "PROMIS-29", action="order-promis-29"),
    )
    criteria = (criterion("A", "met", "Diagnosis", CHRONIC_PAIN),)
    found = evaluation(criteria=criteria, missing=missing)
    [card] = render([found], request(record=record(CONDITION)))
    assert [made["label"] for made in card["suggestions"]] == [
        "Change to once a week",
        "Order PROMIS-29",
    ]
    assert card["selectionBehavior"] == "any"


def test_what_is_drafted_already_is_not_offered_again():
    [made] = steps("order-promis-29")
    accepted = made["resource"] | {"id": "sr-9"}
    assert suggest(wish("order-promis-29"), request(order(), accepted)) is None
    assert suggest(wish("order-odi"), request(order(), accepted))


def test_consults_differ_by_what_they_ask():
    [made] = steps("refer-obgyn")
    drafted = made["resource"] | {"id": "sr-9"}
    assert suggest(wish("refer-obgyn"), request(order(), drafted)) is None
    assert suggest(wish("refer-oncologist"), request(order(), drafted))


def test_no_more_clicks_are_made_than_a_card_has_room_for():
    keys = ["link-note", "record-plan", "write-letter", "record-goal", "record-exam", "order-odi"]
    wishes = map(wish, keys)
    made, _ = suggestions_of(wishes, request())
    most = WORDS["show"]["suggestions"]
    assert [one["key"] for one in made] == keys[:most]
    assert next(wishes).key == keys[most]


def test_measures_exclude_each_other():
    missing = (
        item("EV-D4", "ODI", action="order-odi"),
        item("EV-D2", "PROMIS-29", action="order-promis-29"),
    )
    [card] = render([evaluation(missing=missing)], request())
    assert card["selectionBehavior"] == "at-most-one"


def test_withdrawal_is_recommended_for_a_stop_or_an_emergency():
    def recommended(**more: Any) -> list[bool]:
        safety = tuple(replace(one, **more) for one in k4().safety)
        made = render([replace(k4(), safety=safety)], request())[0]["suggestions"]
        return [one.get("isRecommended", False) for one in made]

    assert recommended(effect="hold") == [True, True]
    assert recommended(effect="hold", grade="P") == [False, False]
    assert recommended(effect="hold", urgency="PCP-prompt") == [False, False]


@pytest.mark.parametrize(
    ("effect", "urgency", "offered"),
    [
        ("none", "caution", []),
        ("hold", "caution", ["Withdraw the massage order"]),
        ("none", "PCP-prompt", ["Refer to the emergency department", "Withdraw the massage order"]),
        ("none", "ED-now", ["Refer to the emergency department", "Withdraw the massage order"]),
    ],
)
def test_a_mere_caution_sends_nobody_away(effect, urgency, offered):
    safety = tuple(replace(one, effect=effect, urgency=urgency) for one in k4().safety)
    cards = render([replace(k4(), safety=safety)], request())
    labels = [one["label"] for card in cards for one in card.get("suggestions", [])]
    assert [one for one in labels if one.startswith(("Refer to", "Withdraw"))] == offered


@pytest.mark.parametrize("key", sorted(action_keys()))
def test_no_created_order_is_reviewed_as_an_order_for_massage(key):
    call = request(record=record(CONDITION))
    made = suggest(wish(key, evidence=(CHRONIC_PAIN,), amount=FOUR), call)
    drafts = [
        step["resource"]
        for step in (made or {"actions": []})["actions"]
        if step["type"] == "create" and step["resource"]["resourceType"] == "ServiceRequest"
    ]
    if key == "split-visits":
        return
    facts = Facts(PatientRecord("p1", {}, {}), drafts, DAY, ZoneInfo("UTC"), Terminology.load(), {})
    scope = scope_of(facts)
    assert scope.orders == scope.text_only == ()
    assert len(scope.others) == len(drafts)


def test_an_unknown_key_costs_the_click_only():
    [card] = render([evaluation(missing=(item("X", "Thing", action="no-such"),))], request())
    assert "suggestions" not in card
    assert "1. Thing (X)" in card["detail"]


ODD: list[dict[str, Any]] = [
    {"occurrenceTiming": "soon"},
    {"occurrenceTiming": {"repeat": {"count": "six"}}},
    {"code": {"coding": [None, "x", {"system": ["y"]}]}},
    {"bodySite": "leg", "quantityQuantity": 5},
    {"reasonReference": {"reference": 3}, "code": None},
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("key", sorted(action_keys()))
def test_an_odd_order_costs_no_exception(odd, key):
    call = request(order() | odd, order("sr-2"), record=record(CONDITION))
    found = evaluation(missing=(item("X", "Thing", action=key),), approvable_now=FOUR)
    assert render([found], call)


def test_nothing_empty_in_created_resources():
    def empties(value: Any) -> bool:
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            return not value or any(map(empties, inner))
        return value in (None, "")

    for key in action_keys():
        for step in steps(key, request(user=None, day=None), evidence=(), note="", item=""):
            assert not empties(step)


def keys_in(policy: dict[str, Any]) -> set[str]:
    items = (policy.get("items") or {}).values()
    rules = (policy.get("safety") or {}).values()
    suggested = {key for rule in rules for key in rule.get("suggests") or ()}
    return suggested | {entry["action"] for entry in items if entry.get("action")}


def test_every_click_that_a_policy_names_is_in_the_table():
    policies = [yaml.safe_load(path.read_text("utf-8")) for path in LIBRARY.glob("*.yaml")]
    named = {key for policy in policies for key in keys_in(policy)}
    assert named
    assert named <= action_keys()
