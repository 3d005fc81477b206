"""Cards while an order is selected: quiet, unless something is unsafe or will be asked for."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from cards import preview, render
from cds_service.hooks.response import check_response
from tests.unit.cards_examples import (
    CCA,
    EVICORE,
    HOLE,
    clot,
    evaluation,
    item,
    k1,
    k2,
    k4,
    request,
)

FORM = item("CCA-D2", "PROMIS-29")
NOTE = item("CCA-D3", "Documented benefit")


def shown(*evaluations, **more):
    cards = preview(evaluations, request(**more))
    assert check_response({"cards": cards}) == []
    return cards


def kinds(cards):
    return [card["source"]["topic"]["code"] for card in cards]


def test_what_is_met_needs_no_words():
    assert render([k1()], request()) != []
    assert shown(k1()) == []


def test_no_policy_and_no_orders_are_quiet():
    assert shown() == []
    assert shown(evaluation(policy=None, determination="not-applicable", gap="unrouted")) == []


def test_coverages_under_one_policy_are_told_apart():
    lacking = (item("CCA-D2", "PROMIS-29"),)
    plans = [("Coverage/a", "One Care"), ("Coverage/b", "CCA Medicare Advantage")]
    found = [evaluation(coverage=name, plan=plan, missing=lacking) for name, plan in plans]
    [card] = preview(found, request())
    assert "**CCA (One Care)**" in card["detail"]
    assert "**CCA (CCA Medicare Advantage)**" in card["detail"]


def test_what_blocks_is_told_in_advance_and_never_as_a_warning():
    (card,) = shown(evaluation(missing=(FORM, NOTE), prior_auth="required"))
    assert card["indicator"] == "info"
    assert card["summary"] == "Massage: on signing, CCA will need 2 items, first: PROMIS-29"
    for words in ("PROMIS-29", "Documented benefit", "Nothing needs to be done now", "Submit"):
        assert words in card["detail"]
    assert not {"suggestions", "overrideReasons"} & set(card)
    assert card["source"]["label"].startswith(CCA.title)


def test_advice_waits_for_the_signature():
    assert shown(evaluation(missing=(replace(FORM, blocking=False),))) == []


def test_one_card_for_all_payers():
    second = evaluation(policy=EVICORE, coverage="Coverage/2", missing=(NOTE,), digest="d2")
    (card,) = shown(evaluation(missing=(FORM,)), second)
    assert all(word in card["detail"] for word in ("**CCA**", "**eviCore**", "PROMIS-29"))
    assert card["source"]["label"] == "Massage order review"


def test_a_missing_coverage_is_asked_for_by_nobody_in_particular():
    (card,) = shown(evaluation(policy=None, coverage=None, gap="no-coverage", missing=(FORM,)))
    assert "the payer will need" in card["summary"]


def test_what_is_refused_on_signing_is_told_on_signing():
    assert shown(evaluation(determination="not-covered", missing=(FORM,))) == []


def test_an_emergency_silences_everything_else():
    cards = shown(replace(k4(), missing=(FORM,)))
    assert kinds(cards) == ["safety"]
    assert cards[0]["indicator"] == "critical"


@pytest.mark.parametrize(
    ("urgency", "effect", "told"),
    [
        ("PCP-prompt", "none", True),
        ("specialist", "hold", True),
        ("caution", "hold", True),
        ("caution", "stop", True),
        ("specialist", "none", False),
        ("caution", "none", False),
    ],
)
def test_safety_is_told_where_it_is_urgent_or_holds_the_order(urgency, effect, told):
    found = clot(urgency=urgency, effect=effect)
    assert kinds(shown(evaluation(safety=(found,)))) == (["safety"] if told else [])


def test_what_a_safety_card_asks_for_is_not_said_twice():
    found = clot(urgency="specialist", effect="hold", asks=("CCA-D3",))
    first, second = shown(evaluation(safety=(found,), missing=(FORM, NOTE)))
    assert kinds([first, second]) == ["safety", "will-need"]
    assert "Documented benefit" not in second["detail"]


def test_a_hole_is_named():
    (card,) = shown(evaluation(determination="covered", unread=(HOLE,)))
    assert card["indicator"] == "info"
    assert "could not be read" in card["summary"]
    assert "**Could not be read:**" in card["detail"]


def test_words_keep_to_the_rules_of_cards():
    long = item("X", "very long words without an end " * 30)
    text = json.dumps(shown(replace(k2(), missing=(long, item("Y", "<b>*x*</b>")))))
    assert "<b>" not in text
    assert "None" not in text
