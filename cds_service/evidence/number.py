"""Comparisons of quantities."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

from msgspec import Struct

from cds_service.evidence.answer import Answer, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.quantities import QUANTITIES, Quantity, QuantityOf

ZERO, FAR = Fraction(0), Fraction(1)
Test = Callable[[Fraction, Fraction], bool]
TESTS: dict[str, Test] = {
    "at-most": lambda value, limit: value <= limit,
    "at-least": lambda value, limit: value >= limit,
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "equals": lambda value, limit: value == limit,
}


class _Bounds(Struct, frozen=True):
    """The least and the most a number can be; None where that is not known."""

    low: Fraction | None
    high: Fraction | None

    @property
    def known(self) -> Fraction | None:
        """The number, where only one is possible."""
        return self.low if self.low == self.high else None

    def plus(self, other: _Bounds) -> _Bounds:
        return _Bounds(_sum(self.low, other.low), _sum(self.high, other.high))

    def negative(self) -> _Bounds:
        low = -self.high if self.high is not None else None
        return _Bounds(low, -self.low if self.low is not None else None)


def _sum(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return one + other if one is not None and other is not None else None


def _bounds(quantity: Quantity) -> _Bounds:
    """Read a quantity; with holes its value is only what was found at least."""
    if quantity.value is None:
        return _Bounds(quantity.low, quantity.high)
    return _Bounds(quantity.value, None if quantity.holes else quantity.value)


def _terms(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def quantity_keys(spec: Spec) -> tuple[str, ...]:
    """Return the query keys of every quantity that a comparison names."""
    named = [term for value in spec.values() for term in _terms(value) if isinstance(term, str)]
    known = (QUANTITIES[name] for name in named if name in QUANTITIES)
    return tuple(dict.fromkeys(key for kind in known for key in kind.keys))


def _term(term: object) -> QuantityOf:
    if isinstance(term, str):
        return QUANTITIES[term].of
    constant = Quantity(Fraction(str(term)))
    return lambda _context: constant


@leaf("number", keys=quantity_keys)
def number(spec: Spec) -> Leaf:
    """A comparison; unknown where what is not known could change it."""
    name = next(name for name in TESTS if name in spec)
    added = [_term(one) for one in (spec["of"], *_terms(spec.get("plus", ())))]
    taken = [_term(one) for one in (spec[name], *_terms(spec.get("minus", ())))]
    test = TESTS[name]

    def ask(context: Context) -> Answer:
        plus = [of(context) for of in added]
        minus = [of(context) for of in taken]
        value = reduce(_Bounds.plus, map(_bounds, plus))
        limit = reduce(_Bounds.plus, map(_bounds, minus))
        return _answer(_compare(test, value, limit), [*plus, *minus])

    return ask


def _compare(test: Test, value: _Bounds, limit: _Bounds) -> Status:
    """Ask the test of what is known, else of both ends; an open end lies beyond every number."""
    if value.known is not None and limit.known is not None:
        return Status.MET if test(value.known, limit.known) else Status.NOT_MET
    difference = value.plus(limit.negative())
    low, high = difference.low, difference.high
    if low is None and high is None:
        return Status.UNKNOWN
    least = low if low is not None else min(-FAR, (high or ZERO) - FAR)
    most = high if high is not None else max(FAR, (low or ZERO) + FAR)
    ends = {test(least, ZERO), test(most, ZERO)}
    if least < 0 < most:
        ends.add(test(ZERO, ZERO))
    if len(ends) > 1:
        return Status.UNKNOWN
    return Status.MET if ends.pop() else Status.NOT_MET


def _answer(status: Status, parts: list[Quantity]) -> Answer:
    findings = [finding for part in parts for finding in part.findings]
    if status is Status.MET:
        return shown(findings)
    if status is Status.NOT_MET:
        return not_shown(findings)
    return cannot_tell(findings, tuple(hole for part in parts for hole in part.holes))
