"""Which cards a call gets, in which order, and what every card keeps to."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from cards import render
from cds_service.evaluation import SafetyFinding
from cds_service.evidence.answer import Finding
from cds_service.hooks.response import check_response
from tests.unit.cards_examples import (
    CCA,
    HOLE,
    HOOK,
    clot,
    criterion,
    evaluation,
    item,
    k1,
    k2,
    k3,
    k4,
    k5,
    order,
    request,
    same_clot_under_cca,
    six_visits_four_supported,
)

UNROUTED = {"policy": None, "determination": "not-applicable", "payer": "Acme Health"}


def caution(number: int, **more: Any) -> SafetyFinding:
    given = {
        "id": f"CCA-S{number}",
        "urgency": "caution",
        "effect": "none",
        "text": f"Caution {number} - gentle only",
        "source": "S2 L98",
        "policy": "cca-mng-084",
        "evidence": (Finding(f"Condition/x{number}", "2026-01-01", "D68.9", f"Thing {number}"),),
    }
    return SafetyFinding(**(given | more))


def everything() -> list[list[dict[str, Any]]]:
    long = "very long words without an end " * 30
    texts = (item("X-D1", long, action="order-odi"), item("X-D2", "x" * 500))
    calls = [
        [k1()], [k2()], [k3()], [k4()], [k5()], [six_visits_four_supported()],
        [k4(), same_clot_under_cca(), evaluation(**UNROUTED, coverage="Coverage/3")],
        [evaluation(missing=texts, prior_auth="check", policy=replace(CCA, short="C" * 80))],
        [evaluation(unread=(HOLE,)), evaluation(**UNROUTED, coverage=None)],
        [evaluation(safety=(clot(text=long, evidence=()),))],
        [evaluation(determination="covered", safety=tuple(caution(n) for n in range(9)))],
    ]  # fmt: skip
    cards = [render(call, request()) for call in calls]
    return [*cards, render([], request(text_only=("ServiceRequest/sr-1",)))]


@pytest.mark.parametrize("cards", everything())
def test_every_answer_is_valid(cards):
    assert cards
    assert check_response({"cards": cards}) == []


@pytest.mark.parametrize("cards", everything())
def test_no_card_says_a_forbidden_word_or_none(cards):
    text = json.dumps(cards)
    assert not re.search(r"(?i)\b(approved|denied|guaranteed?)\b", text)
    assert not re.search(r"\bNone\b|Undefined|Fraction\(|\.\.", text)


@pytest.mark.parametrize("cards", everything())
def test_summaries_are_one_short_sentence(cards):
    for card in cards:
        assert 20 < len(card["summary"]) <= 139
        assert "\n" not in card["summary"]


def test_nothing_to_say_nothing_said():
    assert render([], request()) == []
    assert render([evaluation(determination="not-applicable")], request()) == []


def test_a_retry_repeats_the_uuids_and_another_call_does_not():
    def uuids(call: Any) -> list[str]:
        cards = render([k4(), k5()], call)
        return [found["uuid"] for card in cards for found in [card, *card.get("suggestions", [])]]

    first = uuids(request())
    assert first == uuids(request())
    assert len(first) == len(set(first))
    other = dataclasses.replace(request(), hook_instance=HOOK.replace("16", "17"))
    assert not set(first) & set(uuids(other))


def test_other_facts_other_uuid():
    [before] = render([k1()], request())
    [after] = render([replace(k1(), digest="other")], request())
    assert before["uuid"] != after["uuid"]


def test_same_clot_under_two_coverages_is_said_once():
    cards = render([k4(), same_clot_under_cca()], request())
    critical = [card for card in cards if card["indicator"] == "critical"]
    [card] = critical
    assert card["detail"].count("Acute DVT right leg") == 1
    assert "eviCore: criteria not met while this is open; CCA: cannot be" in card["detail"]
    assert "(2022-05-30), Limitations/Exclusions (CCA-S3a)." in card["detail"]
    assert len([card for card in cards if card["source"]["topic"]["code"] == "coverage"]) == 2


def test_two_rules_of_one_policy_on_one_diagnosis_are_both_said():
    second = clot(id="EV-RF28", text="Another rule")
    [card, _] = render([replace(k4(), safety=(clot(), second))], request())
    assert "Blood clot in the leg" in card["detail"]
    assert "Another rule" in card["detail"]


def test_partial_evidence_of_an_emergency_warns_and_asks():
    finding = clot(grade="P", suspected=False, effect="hold")
    card = render([evaluation(safety=(finding,))], request())[0]
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("Possible acute DVT right leg: hold massage until checked")


def test_an_eponym_keeps_its_capital():
    named = (Finding("Condition/a", "2020-03-30", "G30.9", "Alzheimer's disease"),)
    finding = clot(grade="P", suspected=False, effect="hold", evidence=named)
    card = render([evaluation(safety=(finding,))], request())[0]
    assert card["summary"].startswith("Possible Alzheimer's disease: hold massage")


def test_a_consult_for_which_nothing_waits_is_a_caution():
    told = "Cancer - oncologist before deep pressure"
    quiet = clot(urgency="specialist", effect="none", text=told)
    [_, card] = render([replace(k1(), safety=(quiet,))], request())
    assert card["indicator"] == "info"
    assert card["summary"] == f"Massage with care: {told}"
    assert "Consult first" not in card["detail"]
    waiting = replace(quiet, effect="hold")
    card = render([evaluation(safety=(waiting,))], request())[0]
    assert card["indicator"] == "warning"
    assert "Consult first" in card["detail"]


def test_addressed_findings_are_one_quiet_line():
    [card] = render([replace(k1(), safety=(clot(addressed=True, effect="none"),))], request())
    assert card["indicator"] == "info"
    assert "Already dealt with: Suspected acute DVT right leg (2026-03-14)." in card["detail"]


def test_many_cautions_collapse():
    safety = tuple(caution(number) for number in range(9))
    cards = render([evaluation(determination="covered", safety=safety)], request())
    card = cards[-1]
    assert card["indicator"] == "info"
    assert card["summary"] == "Massage with care: Caution 0 - gentle only and 8 more"
    assert "and 4 more" in card["detail"]


def test_a_caution_on_what_is_an_emergency_already_is_not_said():
    repeated = caution(1, evidence=clot().evidence)
    cards = render([replace(k4(), safety=(clot(), repeated))], request())
    assert "Caution 1" not in json.dumps(cards)


def test_holes_are_named():
    criteria = (criterion("CCA-D2", "unknown", "PROMIS-29", holes=(HOLE,)),)
    [card] = render([evaluation(unread=(HOLE, HOLE), criteria=criteria)], request())
    assert card["summary"] == (
        "Massage: CCA criteria cannot be confirmed - could not be read: "
        "measurements (no answer in time); sign again, or check the chart"
    )
    told = "measurements (Observation: no answer in time)"
    assert f"**Could not be read:** {told}; criteria that need it stay open." in card["detail"]
    assert f"| PROMIS-29 | could not be read: {told} |" in card["detail"]
    assert "patient=p1" not in card["detail"]


def test_a_hole_beside_a_missing_document_is_not_the_only_reason():
    missing = (item("CCA-D1b", "Functional goals"),)
    [card] = render([evaluation(unread=(HOLE,), missing=missing)], request())
    assert "one more item needed: Functional goals" in card["summary"]
    assert "**Could not be read:** measurements (Observation: no answer in time)" in card["detail"]


def test_an_unknown_without_evidence_is_not_found_in_the_record():
    [card] = render([evaluation(criteria=(criterion("A", "unknown", "Goal"),))], request())
    assert "| Goal | not found in the record |" in card["detail"]
    assert card["summary"].endswith("cannot be confirmed yet - Goal: not found in the record")


def test_groups_and_criteria_that_do_not_count_stay_out():
    criteria = (
        criterion("A", "not-met", "Decides"),
        criterion("B", "not-met", "Beside the point", counts=False),
        criterion("ROOT", "not-met", "The group"),
    )
    [card] = render([evaluation(determination="not-covered", criteria=criteria)], request())
    assert "Decides" in card["detail"]
    assert "Beside the point" not in card["detail"]
    assert "The group" not in card["detail"]


def test_a_failed_branch_beside_one_that_holds_is_not_shown():
    criteria = (
        replace(criterion("ROOT", "met", "Either"), parent=None, operator="any"),
        replace(criterion("P", "met", "Pain path"), operator="all"),
        replace(
            criterion("P1", "met", "Pain", Finding("Condition/c", None, None, "Pain")), parent="P"
        ),
        criterion("B", "not-met", "Terminal illness"),
    )
    [card] = render([evaluation(determination="covered", criteria=criteria)], request())
    assert "| Pain | Pain |" in card["detail"]
    assert "Terminal illness" not in card["detail"]


def test_of_failed_branches_the_nearest_one_is_told_and_the_others_named():
    finding = Finding("Condition/c", None, None, "Neck pain")
    criteria = (
        replace(criterion("ROOT", "not-met", "Either"), parent=None, operator="any"),
        criterion("B", "not-met", "Terminal illness"),
        replace(criterion("P", "not-met", "Pain path"), operator="all"),
        replace(criterion("P1", "met", "Pain", finding), parent="P"),
        replace(criterion("P2", "not-met", "Progress"), parent="P", because="No progress"),
    )
    [card] = render([evaluation(determination="not-covered", criteria=criteria)], request())
    assert card["summary"] == "Massage: CCA criteria not met - No progress"
    assert "- Progress: No progress" in card["detail"]
    assert (
        "**Another way to qualify:** Terminal illness (not found in the record)."
        in (card["detail"])
    )
    assert "- Terminal illness" not in card["detail"]


def test_a_document_asked_for_is_not_said_twice():
    found = evaluation(
        criteria=(criterion("KP-D1", "unknown", "Objective limitation"),),
        missing=(item("KP-D1", "Examination note"),),
    )
    [card] = render([found], request())
    assert "1. Examination note (KP-D1)" in card["detail"]
    assert "Objective limitation" not in card["detail"]


def test_several_orders_are_named():
    orders = (order("sr-1"), order("sr-2", "97140"), order("mr-1", "72148"))
    both = replace(k2(), orders=("ServiceRequest/sr-1", "ServiceRequest/sr-2"))
    [card] = render([both], request(*orders))
    assert card["summary"].startswith("Massage 97124 + 97140: eviCore")
    assert card["extension"]["massage-cds.orders"] == list(both.orders)


def test_two_orders_of_one_code_are_told_apart_by_site():
    neck, back = {"bodySite": [{"text": "neck"}]}, {"bodySite": [{"text": "low back"}]}
    [card] = render([k2()], request(order("sr-1", **neck), order("sr-2", **back)))
    assert card["summary"].startswith("Massage 97124 (neck): ")


def test_no_policy_is_one_quiet_card():
    two = [
        evaluation(**UNROUTED, coverage="Coverage/1"),
        evaluation(**(UNROUTED | {"payer": "Other"}), coverage="Coverage/2"),
    ]
    [card] = render(two, request())
    assert card["indicator"] == "info"
    assert "no policy was applied for Acme Health, Other" in card["summary"]


def test_no_policy_does_not_silence_safety():
    cards = render(
        [evaluation(**UNROUTED, safety=(clot(policy="overlay", effect="none"),))], request()
    )
    assert [card["indicator"] for card in cards] == ["critical", "info"]
    assert "no effect" not in cards[0]["detail"]
    assert "shared safety rules" in cards[0]["detail"]


def test_without_coverage_the_card_asks_for_it():
    missing = (item("COVERAGE", "An active coverage"),)
    bare = evaluation(policy=None, coverage=None, missing=missing)
    [card] = render([bare], request())
    assert card["indicator"] == "warning"
    assert "add or verify coverage" in card["summary"]


def test_an_order_in_words_only_is_asked_for_a_code():
    [card] = render([], request(text_only=("ServiceRequest/sr-1",)))
    assert card["indicator"] == "warning"
    assert card["summary"].endswith("add the code and sign again")


def test_one_form_link_where_the_site_has_a_page():
    form = "https://massage-cds.example.org/fhir/Questionnaire/massage-safety-screen|1.0.0"
    missing = (
        item("ASH-D8", "Safety screen", questionnaire=form),
        item("ASH-D2", "Function form", questionnaire="other"),
    )
    found = evaluation(missing=missing)
    page = "https://ehr.example.org/forms?q={questionnaire}"
    [card] = render([found], request(form_page=page))
    assert [link["type"] for link in card["links"]] == ["absolute"]
    assert card["links"][0]["label"] == "Open the form: Safety screen"
    assert "links" not in render([found], request())[0]


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "**bold** _it_ `code` ~~gone~~",
    "a | b\n| c | d |\n\n# Heading",
    "https://evil.example www.evil.example a@evil.example",
    "# Heading",
    "1. list",
    "\u202egnp.exe\u0000",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    found = Finding("Condition/c1", "2026-01-01", text, text)
    criteria = (criterion("A", "met", "Diagnosis", found),)
    finding = clot(evidence=(found,), text="Clot")
    cards = render(
        [
            evaluation(criteria=criteria, safety=(finding,)),
            evaluation(**(UNROUTED | {"payer": text}), coverage="Coverage/2"),
        ],
        request(order("sr-1", bodySite=[{"text": text}]), order("sr-2")),
    )
    assert check_response({"cards": cards}) == []
    for card in cards:
        assert not re.search(r"<[a-z/!]", card["summary"], re.I)
        unescaped = re.sub(r"\\[\\`*_\[\]|~#.]", "", card["detail"])
        assert "<" not in unescaped
        assert not re.search(r"\]\(|`|~~|^# |https?://|www\.|\S@\S", unescaped, re.M)
        assert not re.search("[\u202e\u0000]", card["detail"] + card["summary"])
        for line in unescaped.splitlines():
            assert line.count("|") in (0, 4)


def test_all_that_is_ordered_is_no_part_of_it():
    four = six_visits_four_supported()
    found = replace(four, approvable_now=replace(four.approvable_now, value=6))
    [card] = render([found], request())
    assert "at most" not in card["summary"] + card["detail"].split("\n")[0]


def test_a_part_that_fits_is_not_offered_where_only_a_hole_keeps_the_rest_open():
    part = criterion("CCA-D-PART", "unknown", "Part", because="One visit", derived=True)
    criteria = (criterion("CCA-D2", "unknown", "PROMIS-29", holes=(HOLE,)), part)
    amount = six_visits_four_supported().approvable_now
    found = evaluation(unread=(HOLE,), criteria=criteria, approvable_now=amount)
    [card] = render([found], request())
    assert "could not be read: measurements" in card["summary"]
    assert "suggestions" not in card
