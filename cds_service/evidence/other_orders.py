"""Other orders on file: what runs beside the orders under review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import data, regions
from cds_service.evidence.context import Context, Facts, Leaf, Spec, lazy, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.dose import read_dose
from cds_service.evidence.orders import OrderGroup
from cds_service.evidence.people import Person, performers
from cds_service.evidence.reasons import asked
from cds_service.evidence.scope import NOT_SIGNED, procedure_codes
from cds_service.evidence.sites import at_ordered_site
from cds_service.evidence.spent import Asked, spent
from cds_service.evidence.visits import KEYS as VISIT_KEYS
from cds_service.evidence.visits import MASSAGE
from cds_service.evidence.windows import overlap
from cds_service.record.model import Resource

RUNNING = frozenset({"active"})
NEVER = NOT_SIGNED - {"completed"} | {"draft"}


class OtherOrder(Struct, frozen=True):
    """A ServiceRequest of the record that is not one of the orders under review."""

    reference: str
    resource: Resource
    codes: frozenset[str]
    value_sets: frozenset[str]
    active: bool
    start: Days | None
    end: Days | None
    visits: Fraction | None
    authored: str | None
    regions: frozenset[str]
    side: str | None
    priority: str | None
    reasons: frozenset[str]
    reason_codes: frozenset[fields.Coding]


class OtherOrders:
    """The ServiceRequests of the record, without the drafts themselves."""

    def __init__(self, facts: Facts) -> None:
        drafted = {fields.identity(draft) for draft in facts.orders if isinstance(draft, dict)}
        self.facts = [
            _other(order, facts)
            for order in facts.record.of_type("ServiceRequest")
            if fields.identity(order) not in drafted and _counts(order, facts)
        ]
        self._facts = facts

    @lazy
    def spent(self) -> frozenset[str]:
        """Active orders of whose visits none is left."""
        return spent(self._facts, [_asked(one) for one in self.facts if one.active])


def _counts(order: Resource, facts: Facts) -> bool:
    written = fields.text(order, "authoredOn")
    authored, _ = fields.first_date(facts, written)
    wanted = fields.text(order, "status") not in NEVER and order.get("doNotPerform") is not True
    return wanted and (authored is None or authored.first <= facts.day)


def _other(order: Resource, facts: Facts) -> OtherOrder:
    dose = read_dose(order, facts.zone)
    authored = fields.text(order, "authoredOn")
    where, side = regions(facts, *fields.items(order, "bodySite"))
    return OtherOrder(
        reference=fields.identity(order),
        resource=order,
        codes=procedure_codes(order, facts.terminology),
        value_sets=fields.value_sets(facts, [fields.item(order, "code")]),
        active=fields.text(order, "status") in RUNNING,
        start=dose.start or fields.first_date(facts, authored)[0],
        end=dose.end,
        visits=dose.visits[1] if dose.visits else None,
        authored=authored,
        regions=where,
        side=side,
        priority=fields.text(order, "priority"),
        reasons=frozenset(
            one for e in fields.items(order, "reasonReference") if (one := fields.reference(e))
        ),
        reason_codes=frozenset(fields.known_codes(facts, fields.items(order, "reasonCode"))),
    )


def _asked(other: OtherOrder) -> Asked:
    by = frozenset(fields.reference(one) for one in fields.items(other.resource, "performer"))
    sets, codes = other.value_sets, other.codes
    return Asked(other.reference, sets, codes, other.start, other.visits, by)


def _replaced(group: OrderGroup) -> frozenset[str]:
    """Return orders that the ones under review replace or carry out: they are no duplicates."""
    return frozenset(
        reference
        for order in group.orders
        for name in ("replaces", "basedOn")
        for element in fields.items(order.resource, name)
        if (reference := fields.reference(element))
    )


Test = Callable[[OtherOrder, Context], Status]


def _keys(spec: Spec) -> tuple[str, ...]:
    keys = ("orders", *(VISIT_KEYS if spec.get("overlapping") else ()))
    return (*keys, "conditions") if spec.get("same-reason") else keys


@leaf("other-order", keys=_keys)
def other_order(spec: Spec) -> Leaf:
    """An order on file in value sets, by status, place, time and discipline."""
    wanted = frozenset(fields.names(spec.get("in")))
    tests: list[Test] = []
    if spec.get("active"):
        tests.append(lambda other, _context: _status(other.active))
    if spec.get("same-code"):
        tests.append(lambda other, context: _status(other.codes & context.group.codes))
    if spec.get("same-region"):
        tests.append(_same_region)
    if spec.get("overlapping"):
        tests += [_visits_left, _overlapping]
    if "covering" in spec:
        tests.append(_covering(Fraction(spec["covering"])))
    if "priority" in spec:
        priorities = frozenset(fields.names(spec["priority"]))
        tests.append(lambda other, _context: _status(other.priority in priorities))
    if spec.get("same-reason"):
        tests.append(_same_reason)
    if "same-discipline" in spec:
        tests.append(_discipline(bool(spec["same-discipline"])))
    return lambda context: _found(wanted, tests, context)


def _found(wanted: frozenset[str], tests: list[Test], context: Context) -> Answer:
    replaced = _replaced(context.group)
    judged = [
        (fields.weakest(test(other, context) for test in tests), _finding(other))
        for other in context.facts.of(OtherOrders).facts
        if (not wanted or other.value_sets & wanted) and other.reference not in replaced
    ]
    open_ = any(status is Status.UNKNOWN for status, _ in judged)
    keys = ("orders", *(VISIT_KEYS if open_ and _visits_left in tests else ()))
    return fields.answer(judged, fields.holes_of(context, *keys))


def _finding(other: OtherOrder) -> Finding:
    code = fields.item(other.resource, "code")
    value = next(iter(sorted(other.codes)), None)
    return Finding(other.reference, other.authored, value, fields.label(code, "Order on file"))


def _status(fits: object) -> Status:
    return Status.MET if fits else Status.NOT_MET


def _same_region(other: OtherOrder, context: Context) -> Status:
    return at_ordered_site(other.regions, other.side, context.group)


def _same_reason(other: OtherOrder, context: Context) -> Status:
    """Whether it shows what the orders under review are for: a shared code, diagnosis or place."""
    reasons = asked(context).reasons
    ours = {fact.reference for reason in reasons for fact in reason.conditions}
    codes = {code for reason in reasons for code in reason.codings}
    shared = other.reasons & ours or other.reason_codes & codes
    return _status(shared or _same_region(other, context) is Status.MET)


def _visits_left(other: OtherOrder, context: Context) -> Status:
    """Whether an order for massage still has visits to give; visits may be unread."""
    if other.reference in context.facts.of(OtherOrders).spent:
        return Status.NOT_MET
    counted = MASSAGE in other.value_sets and other.visits is not None
    return Status.UNKNOWN if counted and fields.holes_of(context, *VISIT_KEYS) else Status.MET


def _overlapping(other: OtherOrder, context: Context) -> Status:
    day = Days(context.facts.day, context.facts.day)
    ours = (context.group.start or day, context.group.end)
    return overlap(ours, (other.start, other.end))


def _covering(share: Fraction) -> Test:
    """Ask whether the other order's period holds at least a share of the ordered period."""

    def test(other: OtherOrder, context: Context) -> Status:
        today = Days(context.facts.day, context.facts.day)
        start, end = context.group.start or today, context.group.end
        if other.start is None or other.end is None or end is None:
            return Status.UNKNOWN
        least = _days_shared((start.last, end.first), (other.start.last, other.end.first))
        most = _days_shared((start.first, end.last), (other.start.first, other.end.last))
        wanted = share * ((end.last - start.first).days + 1)
        if least >= wanted:
            return Status.MET
        return Status.NOT_MET if most < wanted else Status.UNKNOWN

    return test


def _days_shared(one: tuple[date, date], other: tuple[date, date]) -> int:
    return max((min(one[1], other[1]) - max(one[0], other[0])).days + 1, 0)


def _discipline(same: bool) -> Test:
    def test(other: OtherOrder, context: Context) -> Status:
        ours = _disciplines(_performers(context.group, context.facts))
        theirs = _disciplines(performers(context.facts, other.resource))
        if ours is None or theirs is None:
            return Status.UNKNOWN
        return _status(bool(ours & theirs) is same)

    return test


def _performers(group: OrderGroup, facts: Facts) -> list[Person]:
    return [person for order in group.orders for person in performers(facts, order.resource)]


def _disciplines(people: list[Person]) -> frozenset[str] | None:
    """Return value sets of roles, and codes where none holds them; None when that is not known."""
    if not people or not all(person.known for person in people):
        return None
    return frozenset(one for person in people for one in _roles(person))


def _roles(person: Person) -> Iterator[str]:
    named = person.roles & frozenset(data("scope.yaml")["disciplines"])
    yield from named or person.codes
