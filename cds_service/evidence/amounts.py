"""How much the orders signed together ask for: visits, units, frequency, weeks, sites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Context
from cds_service.evidence.dose import Dose
from cds_service.evidence.lengths import Range
from cds_service.evidence.orders import OrderFact, OrderGroup
from cds_service.evidence.quantities import Quantity, figure, quantity
from cds_service.evidence.timing import WEEK

Amounts = dict[frozenset[str], list[Range]]


def _by_code(orders: Iterable[OrderFact], read: Callable[[OrderFact], Range | None]) -> Amounts:
    amounts: Amounts = defaultdict(list)
    for order in orders:
        if amount := read(order):
            amounts[order.codes].append(amount)
    return amounts


def _same_code(amounts: Sequence[Range]) -> Range:
    """Orders of one code may share visits or follow each other: nobody can tell."""
    return max(low for low, _ in amounts), sum((high for _, high in amounts), Fraction(0))


def _shared(orders: Sequence[OrderFact], read: Callable[[OrderFact], Range | None]) -> Range | None:
    """Several codes are given in the same visits: the largest number counts."""
    ranges = [_same_code(amounts) for amounts in _by_code(orders, read).values()]
    if not ranges:
        return None
    return max(low for low, _ in ranges), max(high for _, high in ranges)


def _quantity(amount: Range | None, findings: Iterable[Finding]) -> Quantity:
    if amount is None:
        return Quantity(None)
    low, high = amount
    return Quantity(low if low == high else None, tuple(findings), (), low, high)


def _exactly(value: Fraction | None) -> Range | None:
    return (value, value) if value is not None else None


def _of(unit: str, number: Fraction) -> str:
    return unit.removesuffix("s") if number == 1 else unit


def _stated(
    context: Context, read: Callable[[OrderFact], Range | None], unit: str, text: str
) -> Quantity:
    orders = context.group.orders
    findings = [
        order.finding(f"{figure(amount[1])} {_of(unit, amount[1])}", text)
        for order in orders
        if (amount := read(order))
    ]
    return _quantity(_shared(orders, read), findings)


@quantity("order.visits")
def order_visits(context: Context) -> Quantity:
    """Visits asked for."""
    return _stated(context, lambda order: order.dose.visits, "visits", "Ordered")


@quantity("order.per-week")
def order_per_week(context: Context) -> Quantity:
    """Visits a week asked for."""
    return _stated(context, lambda order: _exactly(order.dose.per_week), "a week", "Frequency")


@quantity("order.weeks")
def order_weeks(context: Context) -> Quantity:
    """Weeks the ordered visits take: the longest order counts."""
    stated = [order for order in context.group.orders if order.dose.weeks is not None]
    longest = max((order.dose.weeks or Fraction(0) for order in stated), default=None)
    findings = (o.finding(f"{figure(o.dose.weeks or 0)} weeks", "Duration") for o in stated)
    return _quantity(_exactly(longest), findings)


@quantity("order.last-day")
def order_last_day(context: Context) -> Quantity:
    """Days from the order's date to the last visit it asks for; the latest order counts.

    Visits follow each other at the ordered frequency from the stated start, or from the order's
    date; where frequency or number is not stated, the stated end is the last day.
    """
    told = [(order, _last_day(order.dose, context)) for order in context.group.orders]
    known = [(order, days) for order, days in told if days is not None]
    if not known or len(known) < len(told):
        return Quantity(None)
    latest = max(days for _, days in known)
    findings = [o.finding(f"day {figure(days)}", "Last ordered visit") for o, days in known]
    return Quantity(latest, tuple(findings))


def _last_day(dose: Dose, context: Context) -> Fraction | None:
    starts = [context.facts.day, *([dose.start.last] if dose.start and dose.start.exact else [])]
    until_start = (max(starts) - context.facts.day).days
    if dose.visits and dose.visits[1] <= 1:
        return Fraction(until_start)
    ends = []
    if dose.visits and dose.per_week:
        ends.append(until_start + (dose.visits[1] - 1) * WEEK / dose.per_week)
    if dose.end and dose.end.exact:
        ends.append(Fraction((dose.end.last - context.facts.day).days))
    return max(min(ends), Fraction(0)) if ends else None


@quantity("order.units-per-visit")
def order_units(context: Context) -> Quantity:
    """15-minute units in one visit, added up over the codes signed together."""
    timed = [order for order in context.group.orders if order.timed]
    amounts = _by_code(timed, lambda order: _exactly(order.dose.units))
    ranges = [_same_code(one) for one in amounts.values()]
    if not ranges:
        return Quantity(None)
    low = sum((least for least, _ in ranges), Fraction(0))
    high = sum((most for _, most in ranges), Fraction(0))
    stated = [order for order in timed if order.dose.units is not None]
    findings = [o.finding(f"{figure(o.dose.units or 0)} units", "Units a visit") for o in stated]
    if len(stated) < len(timed):
        return Quantity(None, tuple(findings), (), low)
    return _quantity((low, high), findings)


@quantity("order.sites")
def order_sites(context: Context) -> Quantity:
    """Distinct sites to be treated."""
    group: OrderGroup = context.group
    places = {(site.regions or site.text.lower(), site.side) for site in group.sites}
    findings = [order.finding(site.text, "Site") for order in group.orders for site in order.sites]
    return Quantity(Fraction(len(places)), tuple(findings)) if places else Quantity(None)
