"""Orders for massage on file of whose visits none is left, though nobody closed them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days
from cds_service.evidence.visits import MASSAGE, Visits


class Asked(Struct, frozen=True):
    """What one order on file asks for: `visits` at most, `by` whom, of which `codes`."""

    reference: str
    value_sets: frozenset[str]
    codes: frozenset[str]
    start: Days | None
    visits: Fraction | None
    by: Hashable


class _Signed(Struct, frozen=True):
    """Orders of one day for one performer: codes signed together are given in the same visits."""

    start: date
    visits: Fraction
    references: frozenset[str]


def spent(facts: Facts, running: Iterable[Asked]) -> frozenset[str]:
    """Return the orders whose visits were all given for certain.

    A visit may belong to any of the orders that run beside each other: one counts for an order
    only where no other can have used it. An order that does not state its visits may use all.
    """
    massage = [one for one in running if MASSAGE in one.value_sets]
    signed = _signed(massage)
    if signed is None:
        return frozenset()
    given = [visit.days.first for visit in facts.of(Visits).dated]
    done = [one for one in signed if _left(one, signed, given) <= 0]
    return frozenset(reference for one in done for reference in one.references)


def _signed(orders: Sequence[Asked]) -> list[_Signed] | None:
    """Return the orders as they were signed; None where one does not say when or how many."""
    together: dict[tuple[date, Hashable], list[Asked]] = defaultdict(list)
    for one in orders:
        if one.start is None or not one.start.exact or one.visits is None:
            return None
        together[one.start.first, one.by].append(one)
    return [_as_one(start, listed) for (start, _), listed in together.items()]


def _as_one(start: date, listed: Sequence[Asked]) -> _Signed:
    by_code: dict[frozenset[str], Fraction] = defaultdict(Fraction)
    for one in listed:
        by_code[one.codes] += one.visits or 0
    return _Signed(start, max(by_code.values()), frozenset(one.reference for one in listed))


def _left(order: _Signed, signed: Sequence[_Signed], given: Sequence[date]) -> Fraction:
    """Return how many visits of an order may be left."""
    since = sum(day >= order.start for day in given)
    others = sum((_used(one, order, given) for one in signed if one is not order), Fraction(0))
    return order.visits - max(since - others, Fraction(0))


def _used(other: _Signed, order: _Signed, given: Sequence[date]) -> Fraction:
    """Return how many of the visits since an order began another can have used."""
    before = sum(other.start <= day < order.start for day in given)
    return max(other.visits - before, Fraction(0))
