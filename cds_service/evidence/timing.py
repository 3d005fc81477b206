"""How often and how long, as a FHIR Timing says it: in its parts, by code, or in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any, TypeVar

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.lengths import Range, days_of, period_days, positive, time_of

DAY, WEEK = Fraction(1), Fraction(7)
Timing = dict[str, Any]

_SPANS = {"times", "length", "visits"}
_PAUSE = re.compile(r"[\s(),;]+")
_SIGNS = str.maketrans({"\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x"})


def times_a_day(timing: Timing) -> Fraction | None:
    """Return how often something is done in a day, at most.

    None where that is not said, or where parts, code and words say different things.
    """
    return _agreed(_in_parts(timing), _by_code(timing), _in_words(timing).a_day)


def bounds_of(timing: Timing) -> Range | None:
    """Return the least and the most days that something goes on, where a length is stated.

    A period with an end may only tell how long an order is valid: words beside it come first.
    """
    return _agreed(_span(fields.item(timing, "repeat")), _in_words(timing).days)


def count_of(timing: Timing) -> Fraction | None:
    """Return how often something is done in all, at most."""
    return _agreed(counted(fields.item(timing, "repeat")), _in_words(timing).count)


def counted(repeat: dict[str, Any]) -> Fraction | None:
    """Return the number that a repetition counts to, at most."""
    return positive(repeat.get("countMax")) or positive(repeat.get("count"))


def says_more(timing: Timing) -> bool:
    """Whether the code of a timing says in words what its parts do not."""
    repeat = fields.item(timing, "repeat")
    said = _in_words(timing)
    lacking = (
        (said.a_day, _in_parts(timing)),
        (said.days, _span(repeat)),
        (said.count, counted(repeat)),
    )
    words = fields.words_of([timing.get("code")])
    unread = bool(words) and said == _Said() and _by_code(timing) is None
    return unread or any(told and told != part for told, part in lacking)


Stated = TypeVar("Stated", Fraction, Range)


def _agreed(*told: Stated | None) -> Stated | None:
    different = {one for one in told if one}
    return different.pop() if len(different) == 1 else None


def _in_parts(timing: Timing) -> Fraction | None:
    repeat = fields.item(timing, "repeat")
    each, period = period_days(repeat.get("periodUnit")), positive(repeat.get("period"))
    listed = _listed(repeat, "dayOfWeek") if period in (None, 1) else None
    if listed and each in (None, WEEK):
        return listed / WEEK
    if each is None or period is None:
        return None
    stated = positive(repeat.get("frequencyMax")) or positive(repeat.get("frequency"))
    times = stated or _listed(repeat, "timeOfDay") or _listed(repeat, "when") or Fraction(1)
    return times * (listed / WEEK if listed and each == DAY else 1 / (period * each))


def _span(repeat: dict[str, Any]) -> Range | None:
    if "boundsDuration" in repeat:
        return days_of(fields.item(repeat, "boundsDuration"))
    high = days_of(fields.item(fields.item(repeat, "boundsRange"), "high"))
    low = days_of(fields.item(fields.item(repeat, "boundsRange"), "low")) or high
    return (min(low[0], high[1]), high[1]) if low and high else None


def _listed(repeat: dict[str, Any], name: str) -> Fraction | None:
    """Return on how many days of the week, or at how many times of the day alone it is."""
    each = repeat.get(name)
    return Fraction(len(each)) if isinstance(each, list) and each else None


def _by_code(timing: Timing) -> Fraction | None:
    codes = data("timing.yaml")["codes"]
    concept = fields.item(timing, "code")
    told = [code for _, code in fields.codings([concept])]
    told.append((fields.text(concept, "text") or "").strip().upper())
    known = next((codes[code] for code in told if code in codes), None)
    if not known:
        return None
    times, period, unit = known
    return Fraction(times) / (Fraction(period) * (period_days(unit) or WEEK))


class _Said(Struct, frozen=True):
    a_day: Fraction | None = None
    days: Range | None = None
    count: Fraction | None = None


def _in_words(timing: Timing) -> _Said:
    """Return what the text says; displays count where there is none."""
    concept = fields.item(timing, "code")
    text = fields.text(concept, "text")
    told = [text] if text else fields.words_of([concept])
    return next((said for one in told if (said := _read(one))), _Said())


def _read(text: str) -> _Said | None:
    """Return what a text says; None where a part of it is not understood."""
    plain = text.lower().replace("(s)", "s").translate(_SIGNS)
    plain = " " + _PAUSE.sub(" ", plain).strip().removesuffix(".")
    found = next((found for one in _grammar() if (found := one.fullmatch(plain))), None)
    if not found:
        return None
    part = {name: value for name, value in found.groupdict().items() if value}
    if any(_most(part, name) < _number(part[name]) for name in _SPANS & part.keys()):
        return None
    return _Said(_rate(part), _stretch(part), _most(part, "visits") if "visits" in part else None)


def _rate(part: dict[str, str]) -> Fraction | None:
    each = period_days(part.get("unit") or data("timing.yaml")["adverbs"].get(part.get("adverb")))
    if each is None:
        return None
    apart = 2 if "other" in part else _most(part, "apart") if "apart" in part else 1
    return (_most(part, "times") if "times" in part else 1) / (apart * each)


def _stretch(part: dict[str, str]) -> Range | None:
    if "length" not in part:
        return None
    return time_of(_number(part["length"]), _most(part, "length"), part["span"])


def _most(part: dict[str, str], name: str) -> Fraction:
    return _number(part.get(f"{name}_most") or part[name])


def _number(word: str) -> Fraction:
    table = data("timing.yaml")
    return Fraction((table["times"] | table["numbers"]).get(word, word))


@cache
def _grammar() -> tuple[re.Pattern[str], ...]:
    """Compile how it is said: how often, then for how long and how many visits in all.

    A number and a unit alone ("2 weeks") say nothing of how often.
    """
    table = data("timing.yaml")
    unit, often = _one_of(table["unit-days"]), _one_of(table["times"])
    single = _one_of(name for name in table["unit-days"] if not name.endswith("s"))
    period = _one_of([*table["unit-days"], *table["period-days"]])
    above = _one_of(name for name, days in table["unit-days"].items() if days != "1")
    number = rf"[1-9]\d{{0,3}}(?:\.\d+)?|{_one_of(table['numbers'])}"
    visit = _one_of(data("scope.yaml")["visit-units"])
    times, counted = _range("times", f"{often}|{number}"), _range("times", number)
    by, adverb = r"(?:x|times?)", rf"(?P<adverb>{_one_of(table['adverbs'])})"
    # "12 visits weekly" and "12 visits every week" may be twelve in all.
    numbered = (
        rf"{times} ?(?:{by}|{visit})? ?(?:/|(?:a|an|per)\b) ?(?P<unit>{period})",
        rf"{counted} ?days? ?(?:/|(?:a|per|each|every)\b) ?(?P<unit>{above})",
        rf"{times} ?{by}? ?(?:each|every)\b ?(?P<unit>{period})",
        rf"{counted} ?x ?(?P<unit>{single})",
        rf"{counted} ?{by} {adverb}",
    )
    rates = (
        *numbered,
        rf"(?:(?P<times>{often}) )?{adverb}",
        rf"(?:{times} ?{by}? ?)?every (?P<other>other) (?P<unit>{single})",
        rf"(?:{times} ?{by}? ?)?(?:every |q ?)(?:(?P<apart>{number}) ?)?(?P<unit>{period})",
    )
    stretch = rf"{_range('length', number)} ?(?P<span>{unit})"
    length = rf" (?:for |over |x ?)?{stretch}"
    total = rf"{_range('visits', number)} ?(?:{visit})"
    count = rf" (?:for |total |x ?)?{total}"
    tails = (f"(?:{length})?(?:{count})?", f"{count}{length}")
    said = [f" {rate}{tail}" for rate in rates for tail in tails]
    led = [f" (?:total )?{total} {rate}(?:{length})?" for rate in numbered]
    return tuple(map(re.compile, (*said, *led, rf" {total} (?:over|in|within) {stretch}")))


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _range(name: str, number: str) -> str:
    return rf"(?P<{name}>{number})(?: ?(?:-|to|or) ?(?P<{name}_most>{number}))?"
