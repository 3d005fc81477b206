"""Single values of Observations and answers: numbers as written, words, flags."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.record.model import Resource
from cds_service.terminology import Measure

LOW = frozenset({"L", "LL", "LU", "<"})
HIGH = frozenset({"H", "HH", "HU", ">"})
NEVER = {"<": "high", "<=": "high", ">": "low", ">=": "low"}
"""What the limit of a value with a comparator never tells of it."""
ANNOTATION = re.compile(r"\{([^{}]*)\}")
"""An annotation in a UCUM unit, which is in braces."""
NUMBERS = ("valueDecimal", "valueInteger", "valueString")
NO_FLAGS: frozenset[str] = frozenset()


class Value(Struct, frozen=True):
    """A number as written, as it counts on the measure's scale, and as people read it."""

    number: Fraction | None
    unit: str | None
    values: tuple[Fraction, ...]
    said: str | None


def value_of(measure: Measure, holder: Resource) -> Value:
    """Return the number that an Observation or an answer holds, as a value of a measure.

    One with a comparator ("< 15") has the ends of what it can mean; what is no number has none.
    """
    quantity = holder.get("valueQuantity")
    if quantity and isinstance(quantity, dict):
        unit = fields.text(quantity, "code") or fields.text(quantity, "unit")
        if comparator := quantity.get("comparator"):
            return _limit(measure, fields.number(quantity.get("value")), unit, comparator)
        return _number(measure, quantity.get("value"), unit)
    for name in NUMBERS:
        if name in holder and (said := _number(measure, holder[name], None)).number is not None:
            return said
    return Value(None, None, (), None)


def _number(measure: Measure, written: object, unit: str | None) -> Value:
    plain = isinstance(written, (int, float, str)) and not isinstance(written, bool)
    return _known_value(measure, written if plain else None, unit)


def _limit(measure: Measure, limit: Fraction | None, unit: str | None, comparator: object) -> Value:
    if limit is None or not isinstance(comparator, str):
        return Value(None, unit, (), None)
    ends = measure.beyond(limit, unit, comparator)
    said = f"{comparator} {_said(limit, unit)}" if ends else None
    return Value(limit if ends else None, unit, ends, said)


@lru_cache(maxsize=4096)
def _known_value(measure: Measure, written: int | float | str | None, unit: str | None) -> Value:
    number = fields.number(written)
    if number is None:
        return Value(None, unit, (), None)
    return Value(number, unit, measure.canonical(number, unit), _said(number, unit))


def word_of(holder: Resource) -> str | None:
    """Return a coded or boolean value for a reader."""
    if isinstance(said := holder.get("valueBoolean"), bool):
        return "yes" if said else "no"
    concept = fields.item(holder, "valueCodeableConcept")
    return fields.label(concept or {"coding": [fields.item(holder, "valueCoding")]}, "") or None


def flags_of(holder: Resource, number: Fraction | None) -> frozenset[str]:
    """Return "low" or "high" as the laboratory flags a value or its limits show."""
    if "interpretation" not in holder and "referenceRange" not in holder:
        return NO_FLAGS
    said = fields.codes(fields.items(holder, "interpretation"))
    found = {name for name, known in (("low", LOW), ("high", HIGH)) if said & known}
    if number is not None:
        comparator = str(fields.item(holder, "valueQuantity").get("comparator"))
        for limits in fields.items(holder, "referenceRange"):
            found |= _outside(number, limits) - {NEVER.get(comparator)}
    return frozenset(found)


def _outside(number: Fraction, limits: Resource) -> set[str]:
    low = fields.number(fields.item(limits, "low").get("value"))
    high = fields.number(fields.item(limits, "high").get("value"))
    below = {"low"} if low is not None and number < low else set()
    return below | ({"high"} if high is not None and number > high else set())


def _said(number: Fraction, unit: str | None) -> str:
    """Return a value for a reader: an annotation such as {T-score} in brackets, a score bare."""
    told = unit or ""
    written = ANNOTATION.sub(_in_words, told)
    if written in ("", "score"):
        return shown(number)
    alone = ANNOTATION.fullmatch(told)
    return f"{shown(number)} ({written})" if alone else f"{shown(number)} {written}"


def _in_words(annotation: re.Match[str]) -> str:
    """Return an annotation as people write it: mL/min/{1.73_m2} is per 1.73 m2."""
    return annotation[1].replace("_", " ")


def shown(value: Fraction) -> str:
    """Return a number as people write it: whole, or with its decimals."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"
