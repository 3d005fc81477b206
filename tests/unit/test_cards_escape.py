"""Text of a record in Markdown, in a summary, and cut to size."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.escape import SUMMARY_LIMIT, Marked, fit, markdown, plain, sentence, short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("G89.29 & more", "G89.29 &amp; more"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("a*b_c`d`", r"a\*b\_c\`d\`"),
        ("# not a heading", r"\# not a heading"),
        ("- not a list", r"\- not a list"),
        ("1. not a list", r"1\. not a list"),
        ("2)", r"2\)"),
        ("41.75 (baseline 34.5 on 2025-08-18)", "41.75 (baseline 34.5 on 2025-08-18)"),
        ("2  mg ", "2 mg"),
        ("www.example.org", "www . example.org"),
        ("7 on www.example.org", "7 on www . example.org"),
        ("57 (T-score)", "57 (T-score)"),
        ("2026-03-14", "2026-03-14"),
        ("5 mg @ night", "5 mg @ night"),
        ("two\n\nblocks", "two blocks"),
        (Fraction(15, 2), "7.5"),
        (Fraction(12), "12"),
        (date(2026, 3, 14), "2026-03-14"),
        (None, ""),
    ],
)
def test_markdown(text, shown):
    assert markdown(text) == shown


def test_our_own_markdown_is_kept():
    assert markdown(Marked("**Result**")) == "**Result**"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Acme <b>Health</b>", "Acme Health"), ("platelets < 50", "platelets < 50"), ("a\tb", "a b")],
)
def test_plain(text, shown):
    assert plain(text) == shown


@given(st.text(), st.text())
def test_sentence_is_one_line_within_the_limit(lead, step):
    made = sentence(lead, step)
    assert len(made) <= SUMMARY_LIMIT
    assert not re.search(r"[\x00-\x1f\u2028\u202e]", made)


@given(st.text())
def test_markdown_leaves_nothing_that_acts(text):
    made = re.sub(r"\\[\\`*_\[\]|~#+=.)-]", "", markdown(text))
    assert not re.search(r"[<>`*_\[\]|~\n\r\u2028]|https?://|\bwww\.", made)


def test_a_long_lead_leaves_room_for_the_step():
    made = sentence("lead " * 60, "order PROMIS-29")
    assert made.endswith("… - order PROMIS-29")
    assert len(made) <= SUMMARY_LIMIT


def test_fit_cuts_at_a_word():
    assert fit("first second third", 14) == "first second…"
    assert fit("short", 5) == "short"
    assert fit("the role (not sent, and no server)", 25) == "the role…"
    assert fit("a role (not sent), and no server", 25) == "a role (not sent), and…"
    assert len(fit("x" * 50, 10)) == 10


def test_short_is_the_head_of_an_item():
    assert short("PROMIS-29, or another score (CCA)") == "PROMIS-29, or another score"
    assert short("Goal with target; date") == "Goal with target"
    assert short("(only brackets)") == "(only brackets)"
