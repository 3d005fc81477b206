"""Expressions of a policy file in words that a policy's owner reads."""

from fractions import Fraction

import pytest

from cds_service.policies.words import amount_words, expression_words, filled
from cds_service.terminology import Parameter

NUMBERS = {
    "old": Parameter("old", Fraction(90), "d", "S9", False),
    "half": Parameter("half", Fraction(1, 2), "share", "S9", False),
}
PAIN = {"condition": {"in": ["pain", "headache"], "onset": {"older-than": "$old"}}}
PAIN_WORDS = "condition [in: pain, headache; onset: older-than 90 d]"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (PAIN, PAIN_WORDS),
        ({"not": PAIN}, f"not {PAIN_WORDS}"),
        ({"all": [PAIN, {"named": "is-pt"}]}, f'{PAIN_WORDS} and "is pt"'),
        (
            {"all": [{"any": [PAIN, {"always": True}]}, {"criterion": "X-1"}]},
            f"({PAIN_WORDS} or always) and X-1 met",
        ),
        ({"criterion": {"id": "X-1", "is": "unknown"}}, "X-1 unknown"),
        (
            {"at-least": {"count": 2, "of": [{"named": "a"}, {"named": "b"}]}},
            'at least 2 of ("a"; "b")',
        ),
        (
            {"number": {"of": "visits.year", "plus": ["order.visits"], "above": "$old"}},
            "visits.year plus order.visits above 90 d",
        ),
        ({"order": {"has": "site", "note": "comfort"}}, "order [has: site; note: comfort]"),
        ({"coverage": {"medicare": False}}, "coverage [medicare: no]"),
    ],
)
def test_expression(expression, words):
    assert expression_words(expression, NUMBERS) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("$half", "0.5 share"),
        ("$unknown", "$unknown"),
        (1, "1"),
        ({"of": "$old", "minus": ["episode.day"]}, "90 d less episode.day"),
        (
            {"of": "order.weeks", "times": ["$half"], "no-more-than": ["order.visits", 1]},
            "order.weeks times 0.5 share, no more than order.visits or 1",
        ),
    ],
)
def test_amount(amount, words):
    assert amount_words(amount, NUMBERS) == words


def test_numbers_are_inserted_and_quantities_stay():
    assert filled("{visits.year} used, {$old} days", NUMBERS) == "{visits.year} used, 90 days"
