"""The page of sample cards."""

from pathlib import Path

import pytest

from cds_service.card_page import card_lines, page
from fhir_fixtures.generate import scenarios

PAGE = Path(__file__).parents[2] / "docs" / "cards.md"


@pytest.fixture(scope="module")
def made():
    return page()


def test_the_page_is_what_the_fixtures_give(made):
    assert PAGE.read_text(encoding="utf-8") == made, "run `make docs`"


def test_every_patient_of_the_demo_is_on_it(made):
    headings = [line.removeprefix("## ") for line in made.splitlines() if line.startswith("## ")]
    assert headings == [built.name for _, built in scenarios()]


def part_of(made, name):
    return made.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


def test_a_finding_holds_nothing_where_the_criteria_are_not_met_anyway(made):
    held = part_of(made, "ash-skin-infection-elsewhere")
    assert "**Coverage:** ASH: cannot be confirmed while this is open." in held
    unmet = part_of(made, "ash-difference-missed")
    assert "**Coverage:** ASH: criteria not met, see its own card." in unmet


def test_what_to_do_stands_before_what_was_found(made):
    told = part_of(made, "ev-calf-clot")
    places = [told.index(words) for words in ("Do not massage.", "**Found**", "**Coverage:**")]
    assert places == sorted(places)


def test_criterion_without_a_reason_is_said_not_to_be_shown(made):
    assert "criteria not met - not shown: A pain or" in part_of(made, "vha-stress-alone")


def test_a_card_is_one_block_quote():
    card = {
        "summary": "Massage: look here",
        "indicator": "warning",
        "detail": "**Result:** open.\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "source": {"label": "A policy (1)"},
        "suggestions": [{"label": "Do this", "isRecommended": True}, {"label": "Or that"}],
        "overrideReasons": [{"display": "Elsewhere"}, {"display": "Judgement"}],
    }
    told = list(card_lines(card))
    assert told[0] == "> **[warning] Massage: look here**"
    assert "> - [ ] Do this (recommended)" in told
    assert "> - [ ] Or that" in told
    assert "> Go on because: Elsewhere / Judgement" in told
    assert all(line.startswith(">") for line in told[:-1])
    assert told[-2:] == ["> A policy (1)", ""]
