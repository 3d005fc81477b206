"""The five cards a clinician wants to see."""

from __future__ import annotations

from typing import Any

from cards import render
from tests.unit.cards_examples import evaluation, item, k1, k2, k3, k4, k5, request


def card_of(cards: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(card for card in cards if card["source"]["topic"]["code"] == kind)


def test_criteria_appear_met():
    [card] = render([k1()], request())
    assert card["indicator"] == "info"
    assert card["summary"] == (
        "Massage: CCA criteria appear met - visit 12 of 12 this year; "
        "prior authorization still required"
    )
    assert "**Result:** coverage criteria appear met." in card["detail"]
    assert "11 used + 1 ordered = 12, limit 12. This is not an approval." in card["detail"]
    assert (
        "| Diagnosis (chronic pain) | Chronic low back pain G89.29, 2025-02-09 |" in card["detail"]
    )
    assert "Pain interference 57 (T-score), 2026-03-14; Pain interference 66" in card["detail"]
    assert "**Next:** Submit prior authorization" in card["detail"]
    assert "past its review date 2023-05-30 - check for a newer version" in card["detail"]
    assert card["source"]["label"] == "CCA MNG 084 Massage Therapy (2022-05-30)"
    assert "overrideReasons" not in card
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


def test_documentation_needed():
    [card] = render([k2()], request())
    assert card["indicator"] == "warning"
    assert card["summary"].startswith(
        "Massage: eviCore criteria cannot be confirmed yet - one more"
    )
    assert "1. A note on greater capacity or longer relief" in card["detail"]
    assert "NPRS 7 to 4 is 43% less, below 50%: NPRS 4, 2026-03-15; NPRS 7" in card["detail"]
    assert "**Also useful:** Home program." in card["detail"]
    assert "review date" not in card["detail"]
    order = [card["detail"].index(part) for part in ("**Result:", "**Needed**", "**Why**")]
    assert order == sorted(order)


def test_criteria_not_met():
    [card] = render([k3()], request())
    assert card["indicator"] == "warning"
    assert card["summary"] == (
        "Massage: VHA criteria not met - no clinically significant response on record"
    )
    assert "**What would change this:** return to work, if documented; a measured" in card["detail"]
    assert "**Otherwise consider:** The referring clinician" in card["detail"]
    assert "version 2025-06-01 (draft)" in card["detail"]
    assert "- Significant response: no clinically significant response on rec" in card["detail"]
    leading = [card["detail"].index(part) for part in ("**Result", "**Not met", "**What would")]
    assert leading == sorted(leading)
    assert {reason["code"] for reason in card["overrideReasons"]} == {
        "documented-elsewhere",
        "will-submit-letter",
        "treating-under-other-coverage",
        "clinical-judgement",
    }


def test_emergency_comes_first_and_alone_is_critical():
    cards = render([k4()], request())
    assert [card["indicator"] for card in cards] == ["critical", "warning"]
    red, coverage = cards
    assert red["summary"] == (
        "Suspected acute DVT right leg: do not massage; send to the emergency department now"
    )
    assert "Acute DVT right leg I82.401, 2026-03-14" in red["detail"]
    assert "- Refer immediately to the emergency department." in red["detail"]
    assert "*Source: eviCore Massage Therapy (V1.0.2017), Red flags (EV-RF27).*" in red["detail"]
    assert {"system", "code", "display"} == set(red["overrideReasons"][0])
    assert "Evaluated, not present" in {item["display"] for item in red["overrideReasons"]}
    refer, withdraw = red["suggestions"]
    assert refer["isRecommended"] is withdraw["isRecommended"] is True
    assert withdraw["actions"] == [
        {
            "type": "delete",
            "description": withdraw["actions"][0]["description"],
            "resourceId": "ServiceRequest/sr-1",
        }
    ]
    assert refer["actions"][0]["resource"]["priority"] == "stat"
    assert "not met for now" in coverage["summary"]
    assert "Otherwise consider" not in coverage["detail"]


def test_consult_and_first_session():
    cards = render([k5()], request())
    safety, coverage = card_of(cards, "safety"), card_of(cards, "coverage")
    assert safety["indicator"] == "warning"
    assert safety["summary"].endswith(": first needed - PCP or OB/GYN consult")
    assert "Pregnancy - PCP or OB/GYN consult before massage" in safety["detail"]
    assert [item["label"] for item in safety["suggestions"]] == [
        "Consult OB/GYN",
        "Refer to the PCP",
    ]
    assert coverage["summary"] == (
        "Massage: CCA criteria otherwise appear met - needed: PCP or OB/GYN consult"
    )
    assert "1. PCP or OB/GYN consult (pregnancy) (CCA-D7)" in coverage["detail"]
    assert [item["label"] for item in coverage["suggestions"]] == ["Order PROMIS-29"]


def test_first_blocking_item_is_the_next_step():
    missing = (
        item("CCA-D9", "Advice", blocking=False),
        item("CCA-D1b", "Specific functional goals"),
        item("CCA-D2", "PROMIS-29"),
    )
    [card] = render([evaluation(missing=missing)], request())
    assert card["summary"].endswith("2 items needed, first: Specific functional goals")
