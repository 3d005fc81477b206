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
