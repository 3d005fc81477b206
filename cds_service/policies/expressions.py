"""Expressions of a policy file, compiled to closures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from cds_service.evidence.answer import Answer, Status
from cds_service.evidence.context import LEAVES, Context, Leaf
from cds_service.evidence.quantities import QUANTITIES, Quantity
from cds_service.policies import kleene
from cds_service.policies.criteria import AmountOf, Outcome
from cds_service.policies.safety import Raised

RUN = "run"
OPERATORS = ("all", "any", "not", "at-least", "criterion", "named", "always", "open-finding")


class Running(Protocol):
    """One evaluation under way, as expressions see it (kept in `Context.memo`)."""

    def outcome(self, criterion: str) -> Outcome:
        """Return the outcome of a criterion."""
        ...

    def raised(self) -> Sequence[Raised]:
        """Return what the safety rules raised."""
        ...


@dataclass
class Scope:
    """What names mean in one policy file: its numbers and its named expressions."""

    numbers: Mapping[str, Fraction]
    expressions: Mapping[str, Any] = field(default_factory=dict)
    _compiled: dict[str, Leaf] = field(default_factory=dict)

    def leaf(self, node: Mapping[str, Any]) -> Leaf:
        """Compile one expression."""
        (word, argument), *_ = node.items()
        operator = _COMPILE.get(word)
        if operator:
            return operator(self, argument)
        return LEAVES[word].make(self.resolve(argument))

    def leaves(self, nodes: Sequence[Mapping[str, Any]]) -> list[Leaf]:
        """Compile several."""
        return [self.leaf(node) for node in nodes]

    def named(self, name: str) -> Leaf:
        """Compile a named expression once; it is asked once in an evaluation."""
        if name not in self._compiled:
            self._compiled[name] = _remembered(("named", name), self.leaf(self.expressions[name]))
        return self._compiled[name]

    def resolve(self, node: Any) -> Any:
        """Replace every `$name` by its number; other numbers become fractions."""
        if isinstance(node, str) and node.startswith("$"):
            return self.numbers[node[1:]]
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, int | float):
            return Fraction(str(node))
        if isinstance(node, Mapping):
            return {key: self.resolve(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.resolve(value) for value in node]
        return node

    def amount(self, node: Any) -> AmountOf:
        """Compile a number: a parameter, a quantity, or a sum of them."""
        return _term(self.resolve(node))


def _remembered(key: tuple[str, str], leaf: Leaf) -> Leaf:
    def ask(context: Context) -> Answer:
        answer: Answer | None = context.memo.get(key)
        if answer is None:
            answer = context.memo[key] = leaf(context)
        return answer

    return ask


def _term(term: Any) -> AmountOf:
    if isinstance(term, Mapping):
        return _sum(term)
    if isinstance(term, str):
        return QUANTITIES[term].of
    constant = Quantity(Fraction(term))
    return lambda _context: constant


def _sum(spec: Mapping[str, Any]) -> AmountOf:
    base = _term(spec["of"])
    added = [_term(term) for term in spec.get("plus", ())]
    taken = [_term(term) for term in spec.get("minus", ())]
    factors = [_term(term) for term in spec.get("times", ())]
    caps = [_term(term) for term in spec.get("no-more-than", ())]

    def amount(context: Context) -> Quantity:
        start, *rest = (part(context) for part in (base, *factors, *added, *taken, *caps))
        parts = (start, *rest)
        holes = kleene.unique(hole for part in parts for hole in part.holes)
        findings = kleene.distinct(f for part in parts for f in part.findings)
        values = [part.value for part in parts]
        if any(value is None for value in values):
            return Quantity(None, findings, holes)
        known = iter([value for value in values if value is not None])
        total = next(known)
        for _ in factors:
            total *= next(known)
        total += sum((next(known) for _ in added), Fraction(0))
        total -= sum((next(known) for _ in taken), Fraction(0))
        return Quantity(min([total, *known]), findings, holes)

    return amount


def _all(scope: Scope, argument: Any) -> Leaf:
    return kleene.all_of(scope.leaves(argument))


def _any(scope: Scope, argument: Any) -> Leaf:
    return kleene.any_of(scope.leaves(argument))


def _not(scope: Scope, argument: Any) -> Leaf:
    return kleene.opposite(scope.leaf(argument))


def _at_least(scope: Scope, argument: Any) -> Leaf:
    return kleene.at_least(scope.leaves(argument["of"]), argument["count"])


def _always(_scope: Scope, _argument: Any) -> Leaf:
    met = Answer(Status.MET)
    return lambda _context: met


def _named(scope: Scope, argument: Any) -> Leaf:
    return scope.named(argument)


def _criterion(_scope: Scope, argument: Any) -> Leaf:
    name = argument if isinstance(argument, str) else argument["id"]
    wanted = Status.MET if isinstance(argument, str) else Status(argument["is"])

    def ask(context: Context) -> Answer:
        outcome = context.memo[RUN].outcome(name)
        if outcome.status is wanted:
            return Answer(Status.MET, outcome.findings)
        open_question = outcome.status is Status.UNKNOWN and wanted is not Status.UNKNOWN
        status = Status.UNKNOWN if open_question else Status.NOT_MET
        return Answer(status, outcome.findings, outcome.holes if open_question else ())

    return ask


def _strings(value: Any) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value or ())


def _open_finding(_scope: Scope, argument: Any) -> Leaf:
    urgencies, effects = _strings(argument.get("urgency")), _strings(argument.get("effect"))
    ids, grade = _strings(argument.get("id")), argument.get("grade")

    def fits(raised: Raised, item: Any) -> bool:
        return (
            not item.addressed
            and (not ids or raised.rule.id in ids)
            and (not urgencies or item.urgency in urgencies)
            and (not effects or item.effect in effects)
            and (grade is None or item.sighting.grade == grade)
        )

    def ask(context: Context) -> Answer:
        raised = context.memo[RUN].raised()
        fitting = [j for r in raised for j in r.judged if fits(r, j)]
        if sure := [j.sighting.finding for j in fitting if not j.holes]:
            return Answer(Status.MET, kleene.distinct(sure))
        if fitting:
            doubtful = kleene.distinct(j.sighting.finding for j in fitting)
            return Answer(
                Status.UNKNOWN, doubtful, kleene.unique(h for j in fitting for h in j.holes)
            )
        watched = [r for r in raised if r.rule.matters and (not ids or r.rule.id in ids)]
        holes = kleene.unique(hole for r in watched for hole in r.holes)
        return Answer(Status.UNKNOWN if holes else Status.NOT_MET, (), holes)

    return ask


_COMPILE: dict[str, Callable[[Scope, Any], Leaf]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "at-least": _at_least,
    "always": _always,
    "named": _named,
    "criterion": _criterion,
    "open-finding": _open_finding,
}


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield every (word, argument) of a map anywhere below a node."""
    if isinstance(node, Mapping):
        for word, argument in node.items():
            yield str(word), argument
            yield from walk(argument)
    elif isinstance(node, list):
        for item in node:
            yield from walk(item)


def parameters_in(node: Any, expressions: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all `$parameters` a node uses, also through named expressions."""
    return tuple(dict.fromkeys(_parameters(node, expressions)))


def _parameters(node: Any, expressions: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(node, str):
        if node.startswith("$"):
            yield node[1:]
    elif isinstance(node, Mapping):
        for word, argument in node.items():
            if word == "named":
                yield from _parameters(expressions.get(argument), expressions)
            else:
                yield from _parameters(argument, expressions)
    elif isinstance(node, list):
        for item in node:
            yield from _parameters(item, expressions)
