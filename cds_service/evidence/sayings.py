"""What the orders themselves say: stated details, codes, phrases, category."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Leaf, Spec, leaf
from cds_service.evidence.dose import Dose
from cds_service.evidence.orders import OrderFact, OrderGroup
from cds_service.evidence.phrases import phrase_lists, said
from cds_service.evidence.quantities import figure

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
        return figure(value) if value is not None else None

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
    """Ask for a phrase of a list; KeyError when there is no such list."""
    if name not in phrase_lists():
        raise KeyError(name)

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
