"""The orders signed together: what they order, where, for what reason and how much (G-15)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.codings import data, regions
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.dose import WEEK, Dose, Range, read_dose
from cds_service.evidence.phrases import said
from cds_service.evidence.quantities import Quantity, quantity
from cds_service.evidence.scope import Draft, order_words, scope_of
from cds_service.record.model import Resource


@dataclass(frozen=True, slots=True)
class Site:
    """A place to be treated; `regions` is empty when the words or code are not understood."""

    regions: frozenset[str]
    side: str | None
    text: str


@dataclass(frozen=True, slots=True)
class OrderFact:
    """One order for massage.

    `reference` is "ServiceRequest/id" or "#position", `authored` the date as written, `codes` its
    procedure codes, `coverages` the references it names to be billed, `timed` whether it is billed
    in 15-minute units, `words` its texts by place.
    """

    reference: str
    resource: Resource
    authored: str | None
    codes: frozenset[str]
    sites: tuple[Site, ...]
    dose: Dose
    coverages: tuple[str, ...]
    timed: bool
    words: dict[str, list[str]] = field(compare=False)

    def finding(self, value: str | None, text: str) -> Finding:
        """Return what the order says as a finding."""
        return Finding(self.reference, self.authored, value, text)


@dataclass(frozen=True)
class OrderGroup:
    """Orders for massage signed together, with everything else in the same signature.

    `orders` are in scope, `drafts` all orders of the request that may be reviewed, `text_only` the
    references of orders that say massage in words only (a card asks for a code), `notes` remarks.
    """

    orders: tuple[OrderFact, ...]
    drafts: tuple[Draft, ...] = ()
    text_only: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, facts: Facts) -> OrderGroup:
        """Return the orders in scope of a request as one group."""
        scope = scope_of(facts)
        orders = tuple(order_fact(draft, facts) for draft in scope.orders)
        text_only = tuple(draft.reference for draft in scope.text_only)
        return cls(orders, scope.drafts, text_only, tuple(_notes(orders)))

    def under(self, coverage: str | None) -> OrderGroup:
        """Return the group of the orders billed to a coverage: those naming it or naming none."""
        return self._of(o for o in self.orders if not o.coverages or coverage in o.coverages)

    def of_codes(self, codes: Iterable[str]) -> OrderGroup:
        """Return the group of the orders with one of the codes: those a policy speaks of."""
        wanted = frozenset(codes)
        return self._of(order for order in self.orders if order.codes & wanted)

    def _of(self, orders: Iterable[OrderFact]) -> OrderGroup:
        kept = tuple(orders)
        return replace(self, orders=kept, notes=tuple(_notes(kept)))

    @property
    def references(self) -> tuple[str, ...]:
        """References for display, in the order received."""
        return tuple(order.reference for order in self.orders)

    @property
    def codes(self) -> frozenset[str]:
        """Procedure codes in scope."""
        return frozenset(code for order in self.orders for code in order.codes)

    @property
    def signed_codes(self) -> frozenset[str]:
        """Procedure codes of everything signed together, in scope or not."""
        return self.codes | frozenset(code for draft in self.drafts for code in draft.codes)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Distinct sites; an order that names none is taken to treat those of the others."""
        return tuple(dict.fromkeys(site for order in self.orders for site in order.sites))

    @property
    def start(self) -> Days | None:
        """Earliest start that an order states."""
        starts = [order.dose.start for order in self.orders if order.dose.start]
        return min(starts, key=lambda days: days.first, default=None)

    @property
    def end(self) -> Days | None:
        """Latest end that an order states."""
        ends = [order.dose.end for order in self.orders if order.dose.end]
        return max(ends, key=lambda days: days.last, default=None)


def order_fact(draft: Draft, facts: Facts) -> OrderFact:
    """Read one order."""
    order = draft.resource
    insured = (fields.reference(one) for one in fields.items(order, "insurance"))
    return OrderFact(
        reference=draft.reference,
        resource=order,
        authored=fields.text(order, "authoredOn"),
        codes=draft.codes,
        sites=_sites(order, facts),
        dose=read_dose(order, facts.zone),
        coverages=tuple(one for one in insured if one),
        timed=bool(fields.value_sets(facts, [fields.item(order, "code")]) & _timed()),
        words=order_words(order),
    )


def _timed() -> frozenset[str]:
    return frozenset(data("scope.yaml")["timed"])


def _sites(order: Resource, facts: Facts) -> tuple[Site, ...]:
    """Read the sites; a side that a site leaves open is taken from a reason of the same region."""
    reasons = [regions(facts, concept) for concept in fields.items(order, "reasonCode")]
    return tuple(_site(concept, reasons, facts) for concept in fields.items(order, "bodySite"))


def _site(
    concept: Resource, reasons: Sequence[tuple[frozenset[str], str | None]], facts: Facts
) -> Site:
    found, side = regions(facts, concept)
    if side is None:
        sides = {other for region, other in reasons if region & found}
        side = sides.pop() if len(sides) == 1 else None
    return Site(found, side, fields.label(concept, "site"))


def _notes(orders: Sequence[OrderFact]) -> Iterable[str]:
    by_code = {order.reference: order.dose.visits for order in orders if order.dose.visits}
    if len({most for _, most in by_code.values()}) > 1:
        told = ", ".join(f"{name}: {float(most):g}" for name, (_, most) in by_code.items())
        yield f"The orders signed together ask for different numbers of visits ({told})."
    for order in orders:
        visits = order.dose.visits
        if visits and visits[0] != visits[1]:
            least, most = (float(number) for number in visits)
            yield f"{order.reference} states both {least:g} and {most:g} visits."


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
        order.finding(f"{float(amount[1]):g} {_of(unit, amount[1])}", text)
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
    findings = (o.finding(f"{float(o.dose.weeks or 0):g} weeks", "Duration") for o in stated)
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
    findings = [o.finding(f"day {float(days):g}", "Last ordered visit") for o, days in known]
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
    findings = [o.finding(f"{float(o.dose.units or 0):g} units", "Units a visit") for o in stated]
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


Tell = Callable[[OrderFact], str | None]


def _reason(order: OrderFact) -> str | None:
    concepts = fields.items(order.resource, "reasonCode")
    references = fields.items(order.resource, "reasonReference")
    if concepts:
        return fields.label(concepts[0], "reason")
    return fields.reference(references[0]) if references else None


def _amount(read: Callable[[Dose], Fraction | None]) -> Tell:
    def tell(order: OrderFact) -> str | None:
        value = read(order.dose)
        return f"{float(value):g}" if value is not None else None

    return tell


def _performer(order: OrderFact) -> str | None:
    named = fields.items(order.resource, "performer")
    roles = fields.items(order.resource, "performerType")
    if named:
        return fields.reference(named[0]) or fields.text(named[0], "display") or "named"
    return fields.label(roles[0], "role") if roles else None


def _end(order: OrderFact) -> str | None:
    return order.dose.end.last.isoformat() if order.dose.end else None


def _text(order: OrderFact) -> str | None:
    places = ("note", "order-detail", "instruction")
    return next((text for place in places for text in order.words[place]), None)


HAS: dict[str, tuple[Tell, str]] = {
    "reason": (_reason, "Reason"),
    "site": (lambda order: order.sites[0].text if order.sites else None, "Site"),
    "visits": (_amount(lambda dose: dose.visits[1] if dose.visits else None), "Visits"),
    "units": (_amount(lambda dose: dose.units), "Units a visit"),
    "frequency": (_amount(lambda dose: dose.per_week), "Visits a week"),
    "end": (_end, "End of the ordered period"),
    "performer": (_performer, "Performer"),
    "order-text": (_text, "Words of the order"),
}
"""What an order can state, and how it is told."""

Ask = Callable[[Context], Answer]


@leaf("order", keys=())
def order_says(spec: Spec) -> Leaf:
    """What the orders say: stated details, codes, phrases in words, category."""
    asked: list[Ask] = [_has(name) for name in fields.names(spec.get("has"))]
    if "code-in" in spec:
        asked.append(_code_in(frozenset(fields.names(spec["code-in"]))))
    asked += [_note(name) for name in fields.names(spec.get("note"))]
    asked += [_note(f"type-{name}") for name in fields.names(spec.get("type-of-service"))]
    if "site-in" in spec:
        asked.append(_site_in(frozenset(fields.names(spec["site-in"]))))
    if "category-in" in spec:
        asked.append(_category_in(frozenset(fields.names(spec["category-in"]))))
    return lambda context: _all(ask(context) for ask in asked)


def _all(answers: Iterable[Answer]) -> Answer:
    found = list(answers)
    missing = next((answer for answer in found if answer.status is not Status.MET), None)
    return missing or shown(finding for answer in found for finding in answer.findings)


def _has(name: str) -> Ask:
    tell, text = HAS[name]

    def ask(context: Context) -> Answer:
        orders: Sequence[OrderFact] = context.group.orders
        told = [(order, tell(order)) for order in orders]
        findings = [order.finding(value, text) for order, value in told if value is not None]
        if name == "units":
            complete = all(value is not None for order, value in told if order.timed)
            return shown(findings) if findings and complete else not_shown(findings)
        return shown(findings) if findings else not_shown()

    return ask


def _code_in(wanted: frozenset[str]) -> Ask:
    def ask(context: Context) -> Answer:
        group: OrderGroup = context.group
        authored = {order.reference: order.authored for order in group.orders}
        coded = {**{d.reference: d.codes for d in group.drafts}}
        coded.update({order.reference: order.codes for order in group.orders})
        findings = [
            Finding(reference, authored.get(reference), code, "Ordered code")
            for reference, codes in coded.items()
            for code in sorted(codes & wanted)
        ]
        return shown(findings) if findings else not_shown()

    return ask


def _note(name: str) -> Ask:
    def ask(context: Context) -> Answer:
        site = context.facts.terminology.site
        told = [(order, said(name, order.words, site)) for order in context.group.orders]
        findings = [order.finding(text, "Words of the order") for order, text in told if text]
        return shown(findings) if findings else not_shown()

    return ask


def _site_in(wanted: frozenset[str]) -> Ask:
    """Ask for a site in some regions; one that reaches beyond them may be meant, or may not."""

    def ask(context: Context) -> Answer:
        group: OrderGroup = context.group
        found = [(order, site) for order in group.orders for site in order.sites]
        inside = [pair for pair in found if pair[1].regions and pair[1].regions <= wanted]
        partly = [pair for pair in found if pair[1].regions & wanted or not pair[1].regions]
        findings = [order.finding(site.text, "Site") for order, site in inside or partly]
        if inside:
            return shown(findings)
        return cannot_tell(findings) if partly else not_shown()

    return ask


def _category_in(wanted: frozenset[str]) -> Ask:
    def ask(context: Context) -> Answer:
        findings = [
            order.finding(fields.label(concept, "category"), "Category of the order")
            for order in context.group.orders
            for concept in fields.items(order.resource, "category")
            if fields.value_sets(context.facts, [concept]) & wanted
        ]
        return shown(findings) if findings else not_shown()

    return ask
