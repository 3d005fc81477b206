"""How often and how long: in parts, by code, and as EHRs write it in words."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.evidence.timing import bounds_of, count_of, says_more, times_a_day


def a_week(timing: dict[str, Any]) -> Fraction | None:
    often = times_a_day(timing)
    return often * 7 if often else None


def said(text: Any) -> dict[str, Any]:
    return {"code": {"text": text}}


@pytest.mark.parametrize(
    ("text", "week", "days", "count"),
    [
        ("2x/week for 6 weeks", 2, (42, 42), None),
        ("2 times a week x 6 wks, 12 visits", 2, (42, 42), 12),
        ("12 visits over 6 weeks", None, (42, 42), 12),
        ("Twice weekly.", 2, None, None),
        ("once weekly for 4-6 weeks", 1, (28, 42), None),
        ("1\N{EN DASH}2 times per week for 6\N{EN DASH}8 weeks", 2, (42, 56), None),
        ("weekly", 1, None, None),
        ("every week", 1, None, None),
        ("every other week", Fraction(1, 2), None, None),
        ("once every 2 weeks for 3 months", Fraction(1, 2), (84, Fraction(365, 4)), None),
        ("1 time(s) per week for 4 week(s)", 1, (28, 28), None),
        ("every 12 hours", 14, None, None),
        ("2 \N{MULTIPLICATION SIGN} / wk", 2, None, None),
        ("3 per week", 3, None, None),
        ("2x week", 2, None, None),
        ("one visit per week", 1, None, None),
        ("three times a week for 12 sessions", 3, None, 12),
        ("twice a week (6 visits)", 2, None, 6),
        ("daily x 5 days", 7, (5, 5), None),
        ("bid", 14, None, None),
        ("q2wk", Fraction(1, 2), None, None),
        ("q week x 6 weeks", 1, (42, 42), None),
        ("2 days per week", 2, None, None),
        ("3 days/week for 4 wks", 3, (28, 28), None),
        ("8 visits, 2x/week", 2, None, 8),
        ("12 visits, 2x/week for 6 weeks", 2, (42, 42), 12),
    ],
)
def test_words(text, week, days, count):
    timing = said(text)
    assert (a_week(timing), bounds_of(timing), count_of(timing)) == (week, days, count)


@pytest.mark.parametrize(
    "text",
    [
        "2 weeks",
        "6 visits",
        "2 weekly",
        "biweekly",
        "bi-weekly",
        "2x/week prn",
        "as needed, 2x/week",
        "2x/week then weekly",
        "2x/week for 2 weeks, then 1x/week for 4 weeks",
        "every 2-3 weeks",
        "q2-3wk",
        "2 days",
        "2 days per day",
        "2 days every 2 weeks",
        "8 visits, 2 days",
        "8 visits, every week",
        "0x/week",
        "up to 2x/week",
        "2x/fortnight",
        "2x/week, 1 hour",
        "weekly x 1 hour",
        "12 visits weekly for 12 weeks",
        "6 sessions every 2 weeks for 12 weeks",
        "6 visits every week",
        "2 visits x 4 weeks",
        "2 sessions for 6 weeks",
        "6 visits, 1 hour",
        ".5x/week",
        "2-1x/week",
        "twice or once a week",
        "2x/week for 6-4 weeks",
        "no more than weekly",
        "2/week x 6",
        "not weekly",
        "",
        7,
        None,
    ],
)
def test_words_that_are_not_understood_to_their_end_say_nothing(text):
    timing = said(text)
    assert (a_week(timing), bounds_of(timing), count_of(timing)) == (None, None, None)


def test_a_display_is_as_good_as_a_text():
    assert a_week({"code": {"coding": [{"code": "local-17", "display": "2x weekly"}]}}) == 2


def test_a_display_says_nothing_beside_a_text_that_is_not_understood():
    coding = [{"code": "local-17", "display": "Weekly"}]
    told = {"code": {"coding": coding, "text": "2x/week for 2 weeks, then weekly"}}
    assert a_week(told) is None


def test_parts_and_words_that_differ_leave_it_open():
    parts = {"frequency": 1, "period": 1, "periodUnit": "wk", "count": 4}
    length = {"boundsDuration": {"value": 4, "code": "wk"}}
    timing = {"repeat": parts | length, **said("2x/week for 6 weeks, 12 visits")}
    assert (a_week(timing), bounds_of(timing), count_of(timing)) == (None, None, None)
    timing = {"repeat": parts | length, **said("1x/week for 4 weeks, 4 visits")}
    assert (a_week(timing), bounds_of(timing), count_of(timing)) == (1, (28, 28), 4)
    assert not says_more(timing)
    assert says_more({"repeat": parts, **said("weekly for 4 weeks")})
    assert says_more({"repeat": parts, **said("weekly as needed")})
    coded = {"code": {"coding": [{"code": "WK"}], "text": "2x/week"}}
    assert a_week(coded) is None
    assert not says_more({"repeat": parts, **said("WK")})


def test_a_period_may_only_tell_how_long_an_order_is_valid():
    until = {"repeat": {"boundsPeriod": {"start": "2026-03-01", "end": "2027-03-01"}}}
    assert bounds_of(until | said("2x/week for 6 weeks")) == (42, 42)
    assert bounds_of(until) is None


@pytest.mark.parametrize(
    ("code", "day"),
    [("QOD", Fraction(1, 2)), ("QD", 1), ("TID", 3), ("Q6H", 4), ("WK", Fraction(1, 7))],
)
def test_codes(code, day):
    assert times_a_day({"code": {"coding": [{"code": code}]}}) == day
    assert times_a_day(said(code)) == day


@pytest.mark.parametrize(
    ("repeat", "day"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, 3),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 3),
        ({"period": 1, "periodUnit": "wk"}, Fraction(1, 7)),
        ({"period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00", "20:00:00"]}, 2),
        ({"period": 1, "periodUnit": "d", "when": ["MORN", "EVE"]}, 2),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "wk"}, Fraction(2, 7)),
        ({"dayOfWeek": ["mon", "thu"]}, Fraction(2, 7)),
        ({"dayOfWeek": ["mon"], "frequency": 2, "period": 1, "periodUnit": "d"}, Fraction(2, 7)),
        ({"frequency": 2, "period": 0, "periodUnit": "wk"}, None),
        ({"frequency": 2, "periodUnit": "wk"}, None),
    ],
)
def test_parts(repeat, day):
    assert times_a_day({"repeat": repeat}) == day


NUMBERS = st.integers(1, 30)


@given(
    NUMBERS,
    st.sampled_from(["{}x/{}", "{} times a {}", "{} per {}", "{} x every {}", "{}/{}"]),
    st.sampled_from(["week", "wk", "day", "month"]),
    NUMBERS,
    st.sampled_from([" for {} weeks", " x {} wks", ", {} weeks", " x{} week", " over {} Weeks"]),
    NUMBERS,
    st.sampled_from([", {} visits", " ({} sessions)", " for {} treatments", " total {} visits"]),
)
def test_what_is_said_in_one_of_many_ways_is_read(times, way, unit, weeks, length, visits, total):
    text = way.format(times, unit) + length.format(weeks) + total.format(visits)
    week = {"week": 1, "wk": 1, "day": 7, "month": Fraction(84, 365)}[unit]
    timing = said(text)
    assert a_week(timing) == times * week
    assert bounds_of(timing) == (weeks * 7, weeks * 7)
    assert count_of(timing) == visits


@given(st.text(max_size=60))
def test_no_text_breaks_it(text):
    timing = said(text)
    times_a_day(timing), bounds_of(timing), count_of(timing)
