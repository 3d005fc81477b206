"""Cards beside the system actions, each as its type demands."""

import re

import pytest

from tests.crd import ehr

NAMES = ehr.names()
SETTLED = ("met", "not-applicable")


def cards(name, code=None, **more):
    found = ehr.sign(name, **more)["cards"]
    return [one for one in found if code in (None, one["source"]["topic"]["code"])]


def one(name, code, **more):
    (found,) = cards(name, code, **more)
    return found


@pytest.fixture(scope="module")
def everything():
    found = [(name, card) for name in NAMES for card in cards(name)]
    assert found
    return found


def test_coverage_is_never_a_card(everything):
    assert not [
        name for name, card in everything if card["source"]["topic"]["code"] == "coverage-info"
    ]


def test_the_label_is_the_insurers_name(everything):
    insurers = {
        "Cascadia Health Plan (eviCore delegated)",
        "Harborlight Health (ASH delegated)",
        "Commonwealth Care Alliance",
        "Kaiser Foundation Health Plan of Washington",
        "Kaiser Foundation Health Plan - Southern California",
        "VA Community Care",
    }
    assert {card["source"]["label"] for _, card in everything} <= insurers


def test_each_names_the_orders_it_is_about(everything):
    for name, card in everything:
        about = card["extension"]["davinci-crd.associated-resource"]
        context = ehr.request_of(name)["context"]["draftOrders"]["entry"]
        orders = {f"ServiceRequest/{entry['resource']['id']}" for entry in context}
        assert about
        assert {it["reference"] for it in about} <= orders
        assert "**Order:**" in card["detail"]


def test_every_suggestion_has_a_uuid_and_actions_of_one_kind(everything):
    offered = [(card, one) for _, card in everything for one in card.get("suggestions", ())]
    changing = [
        card["source"]["topic"]["code"] == "therapy-alternatives-opt" for card, _ in offered
    ]
    assert set(changing) == {True, False}
    for (_, suggestion), changes in zip(offered, changing, strict=True):
        assert suggestion["uuid"]
        kinds = {action["type"] for action in suggestion["actions"]}
        assert kinds == ({"update"} if changes else {"create"})
        for action in suggestion["actions"]:
            assert action["resource"]["resourceType"] == "ServiceRequest"
            assert action["resource"]["status"] == "draft"


def test_the_policy_is_an_external_reference():
    card = one("ev-05", "guideline")
    (link,) = card["links"]
    assert link["type"] == "absolute"
    assert "suggestions" not in card
    page = ehr.app().test_client().get(link["url"].removeprefix(ehr.HOST), base_url=ehr.HOST)
    assert page.status_code == 200
    assert page.content_type.startswith("text/plain")
    assert "eviCore" in page.text


OPEN = "**Open or not met:** "
RULES = re.compile(r"\(((?:[A-Z]+-[\w.-]+)(?:, [A-Z]+-[\w.-]+)*)\)")


@pytest.mark.parametrize("name", [*NAMES, "cca-missing-promis"])
def test_a_section_that_is_met_is_not_called_open(name):
    body = ehr.request_of(name) | {"extension": {"massage-cds.explain": True}}
    body["prefetch"] = ehr.prefetch_of(ehr.resources(name))
    answer = ehr.call(body)
    judged = answer["extension"]["massage-cds.evaluations"]
    criteria = [it for one in judged for it in one["criteria"] if it["status"] not in SETTLED]
    undecided = {it["id"] for it in criteria}
    lines = [line for card in answer["cards"] for line in card["detail"].splitlines()]
    told = "".join(line for line in lines if line.startswith(OPEN))
    named = {rule for rules in RULES.findall(told) for rule in rules.split(", ")}
    assert named <= undecided
    assert bool(named) == bool(told)


def test_a_policy_that_is_not_there_has_no_page():
    page = ehr.app().test_client().get("/crd/policies/none-such", base_url=ehr.HOST)
    assert page.status_code == 404


def test_what_would_change_a_refusal_is_an_instruction():
    card = one("ev-05", "off-guideline")
    assert "What would change this" in card["detail"]
    assert not {"links", "suggestions"} & set(card)


def test_limits_are_an_instruction():
    card = one("cca-07", "limits")
    assert "30 visits on file" in card["summary"]
    assert not {"links", "suggestions"} & set(card)


def test_an_additional_order_is_created_for_the_patient_by_who_signs():
    card = one("cca-09", "clinical-reminder")
    (action,) = card["suggestions"][0]["actions"]
    made = action["resource"]
    assert made["code"]["coding"][0]["code"] == "62337-1"
    assert made["subject"] == {"reference": "Patient/cca-09-patient"}
    assert made["requester"]["reference"].startswith("Practitioner/")
    assert made["authoredOn"] == "2026-03-16"


def test_an_alternative_is_the_order_with_one_change():
    card = one("cca-07", "therapy-alternatives-opt")
    (action,) = card["suggestions"][0]["actions"]
    (entry,) = ehr.request_of("cca-07")["context"]["draftOrders"]["entry"]
    changed, order = action["resource"], entry["resource"]
    assert action["type"] == "update"
    assert [key for key in order if changed[key] != order[key]] == ["occurrenceTiming"]
    assert changed["occurrenceTiming"]["repeat"]["count"] == 6


def test_red_flags_come_first_and_offer_no_click_twice():
    found = cards("cca-12")
    assert found[0]["source"]["topic"]["code"] == "contraindication"
    labels = [it["label"] for card in found for it in card.get("suggestions", ())]
    assert len(labels) == len(set(labels))


def test_an_emergency_is_critical_and_the_rest_informs():
    indicators = {(card["source"]["topic"]["code"], card["indicator"]) for card in cards("ev-08")}
    assert ("contraindication", "critical") in indicators
    assert {it for topic, it in indicators if topic != "contraindication"} <= {"info"}


def test_a_covered_order_brings_no_card():
    assert cards("cca-01") == []


def test_a_payer_without_a_policy_has_no_card_of_coverage():
    assert {card["source"]["topic"]["code"] for card in cards("kp-13")} <= {"contraindication"}


def test_nothing_leads_to_a_portal(everything):
    links = [link for _, card in everything for link in card.get("links", ())]
    assert links
    assert all("/crd/policies/" in link["url"] for link in links)
