"""The orders signed together: what they order, where, for what reason and how much (G-15)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Finding
from cds_service.evidence.codings import data, regions
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days
from cds_service.evidence.dose import Dose, read_dose
from cds_service.evidence.scope import Draft, order_words, scope_of
from cds_service.record.model import Resource


class Site(Struct, frozen=True):
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

    def named(self, references: Iterable[str]) -> OrderGroup:
        """Return the group of the orders with one of the references; the others stay as drafts."""
        wanted = frozenset(references)
        told = tuple(reference for reference in self.text_only if reference in wanted)
        group = self._of(order for order in self.orders if order.reference in wanted)
        return replace(group, text_only=told)

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
    return OrderFact(
        reference=draft.reference,
        resource=order,
        authored=fields.text(order, "authoredOn"),
        codes=draft.codes,
        sites=_sites(order, facts),
        dose=read_dose(order, facts.zone),
        coverages=tuple(reference for reference, _ in billed_to(order)),
        timed=bool(fields.value_sets(facts, [fields.item(order, "code")]) & _timed()),
        words=order_words(order),
    )


def billed_to(order: Resource) -> list[tuple[str, Resource]]:
    """Return the references under `insurance` that may name a coverage, each with its element.

    A ClaimResponse there is an authorization: it tells nothing of who pays.
    """
    elements = fields.items(order, "insurance")
    named = ((fields.reference(one), one) for one in elements)
    return [(name, one) for name, one in named if name and not name.startswith("ClaimResponse/")]


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
    most = sorted({order.dose.visits[1] for order in orders if order.dose.visits})
    if len(most) > 1:
        told = ", ".join(f"{float(number):g}" for number in most)
        yield f"The orders signed together ask for different numbers of visits: {told}."
    for order in orders:
        if order.resource.get("modifierExtension"):
            yield f"{order.reference} bears a modifier extension that is not known here."
        visits = order.dose.visits
        if visits and visits[0] != visits[1]:
            least, greatest = (f"{float(number):g}" for number in visits)
            both = f"An order states both {least} and {greatest} visits."
            told = f"How often and how long an order goes on comes to {least} to {greatest} visits."
            yield told if order.dose.derived else both
