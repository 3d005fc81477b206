"""How often and how long, as a FHIR Timing says it: in its parts, by code, or in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.codings import data
from cds_service.evidence.lengths import Range, days_of, positive, time_of, unit_days

DAY, WEEK = Fraction(1), Fraction(7)
Timing = dict[str, Any]

_PAUSE = re.compile(r"[\s(),;]+")
_SIGNS = str.maketrans({"\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x"})


def times_a_day(timing: Timing) -> Fraction | None:
    """Return how often something is done in a day, at most; None where that is not said."""
    repeat = fields.item(timing, "repeat")
    each, period = unit_days(repeat.get("periodUnit")), positive(repeat.get("period"))
    listed = _days_listed(repeat) if period in (None, 1) else None
    if listed and each in (None, WEEK):
        return listed / WEEK
    if each is None or period is None:
        return _by_code(timing) or _in_words(timing).a_day
    times = positive(repeat.get("frequencyMax")) or positive(repeat.get("frequency")) or Fraction(1)
    return times * (listed / WEEK if listed and each == DAY else 1 / (period * each))


def bounds_of(timing: Timing) -> Range | None:
    """Return the least and the most days that something goes on, where a length is stated."""
    repeat = fields.item(timing, "repeat")
    if fields.text(fields.item(repeat, "boundsPeriod"), "end"):
        return None
    if "boundsDuration" in repeat:
        return days_of(fields.item(repeat, "boundsDuration"))
    span = fields.item(repeat, "boundsRange")
    if not span:
        return _in_words(timing).days
    high = days_of(fields.item(span, "high"))
    low = days_of(fields.item(span, "low")) or high
    return (min(low[0], high[1]), high[1]) if low and high else None


def count_of(timing: Timing) -> Fraction | None:
    """Return how often something is done in all, at most."""
    repeat = fields.item(timing, "repeat")
    stated = positive(repeat.get("countMax")) or positive(repeat.get("count"))
    return stated or _in_words(timing).count


def _days_listed(repeat: dict[str, Any]) -> Fraction | None:
    """Return on how many days of the week alone it is, where these are listed."""
    on_days = repeat.get("dayOfWeek")
    return Fraction(len(on_days)) if isinstance(on_days, list) and on_days else None


def _by_code(timing: Timing) -> Fraction | None:
    codes = data("timing.yaml")["codes"]
    concept = fields.item(timing, "code")
    told = [code for _, code in fields.codings([concept])]
    told.append((fields.text(concept, "text") or "").strip().upper())
    known = next((codes[code] for code in told if code in codes), None)
    if not known:
        return None
    times, period, unit = known
    return Fraction(times) / (Fraction(period) * (unit_days(unit) or WEEK))


class _Said(Struct, frozen=True):
    a_day: Fraction | None = None
    days: Range | None = None
    count: Fraction | None = None


def _in_words(timing: Timing) -> _Said:
    told = fields.words_of([timing.get("code")])
    return next((said for text in told if (said := _read(text))), _Said())


def _read(text: str) -> _Said | None:
    """Return what a text says; None where a part of it is not understood."""
    plain = _PAUSE.sub(" ", text.lower().translate(_SIGNS)).strip(" .")
    found = next((found for one in _grammar() if (found := one.fullmatch(f" {plain}"))), None)
    if not found:
        return None
    part = {name: value for name, value in found.groupdict().items() if value}
    return _Said(_rate(part), _stretch(part), _most(part, "visits"))


def _rate(part: dict[str, str]) -> Fraction | None:
    unit = part.get("unit") or data("timing.yaml")["adverbs"].get(part.get("adverb"))
    each = unit_days(unit)
    apart = Fraction(2) if "other" in part else _most(part, "apart") or Fraction(1)
    times = _most(part, "times") or Fraction(1)
    return times / (apart * each) if each and apart else None


def _stretch(part: dict[str, str]) -> Range | None:
    most = _most(part, "length")
    return time_of(_number(part["length"]), most, part["span"]) if most else None


def _most(part: dict[str, str], name: str) -> Fraction | None:
    told = part.get(f"{name}_most") or part.get(name)
    return _number(told) if told else None


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
    number = rf"[1-9]\d{{0,3}}(?:\.\d+)?|{_one_of(table['numbers'])}"
    visit = _one_of(data("scope.yaml")["visit-units"])
    times, counted = _span("times", f"{often}|{number}"), _span("times", number)
    by, adverb = rf"(?:x|times?|{visit})", rf"(?P<adverb>{_one_of(table['adverbs'])})"
    each = r"(?:/|(?:a|an|per|each|every)\b)"
    rates = (
        rf"{times} ?{by}? ?{each} ?(?P<unit>{unit})",
        rf"{counted} ?x ?(?P<unit>{single})",
        rf"{counted} ?{by} {adverb}",
        rf"(?:(?P<times>{often}) )?{adverb}",
        rf"(?:{times} ?{by}? ?)?every (?P<other>other) (?P<unit>{single})",
        rf"(?:{times} ?{by}? ?)?every (?:(?P<apart>{number}) ?)?(?P<unit>{unit})",
    )
    length = rf" (?:for |over |x ?)?{_span('length', number)} ?(?P<span>{unit})"
    count = rf" (?:for |total |x ?)?{_span('visits', number)} ?(?:{visit})"
    tails = (rf"(?:{length})?(?:{count})?", f"{count}{length}")
    said = [f" {rate}{tail}" for rate in rates for tail in tails]
    return tuple(map(re.compile, (*said, f"{count}{length}")))


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _span(name: str, number: str) -> str:
    return rf"(?P<{name}>{number})(?: ?(?:-|to|or) ?(?P<{name}_most>{number}))?"
