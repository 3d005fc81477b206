"""What a leaf is given: the facts of a record on a day, and the question asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from fractions import Fraction
from functools import wraps
from typing import Any, Generic, TypeVar, TypeVarTuple, overload

from cds_service.evidence.answer import Answer
from cds_service.record.model import PatientRecord, Resource
from cds_service.terminology import Terminology

T = TypeVar("T")
Owner = TypeVar("Owner")
Subject = TypeVarTuple("Subject")
Spec = Mapping[str, Any]
"""Arguments of a leaf as compiled: every `$name` already replaced by its number (Fraction)."""
_UNASKED: Any = object()


@dataclass
class Facts:
    """Facts of one record on one day; each kind is worked out once, when first asked for.

    `orders` are the draft orders as received (ServiceRequests in scope or not). `numbers` holds the
    shared parameters by name (`baseline-days-before`), which a policy may override in its Context.
    """

    record: PatientRecord
    orders: Sequence[Resource]
    day: date
    zone: tzinfo
    terminology: Terminology
    numbers: Mapping[str, Fraction]
    _kinds: dict[Any, Any] = field(default_factory=dict, repr=False)

    def of(self, kind: Callable[[Facts], T]) -> T:
        """Return the facts of one kind (`facts.of(Conditions)`), made on first use."""
        made = self._kinds.get(kind)
        if made is None:
            made = self._kinds[kind] = kind(self)
        return made

    def forget(self) -> None:
        """Let go of what was worked out, once all is said.

        Facts and their kinds hold each other, and with them the whole record: only the garbage
        collector would find that, long after the answer.
        """
        self._kinds.clear()


@dataclass
class Context:
    """One question: the orders signed together, under one coverage.

    `group` holds the draft orders in scope (evidence.orders.OrderGroup), `coverage` the coverage
    fact (evidence.coverage.CoverageFact) or None, `numbers` the policy's parameters by name, laid
    over the shared ones, `acknowledged` the safety findings the clinician has answered "evaluated,
    not present", each with the day of the answer, `supposed` ids of criteria and items taken as
    shown for a what-if, `memo` what the engine has already decided.
    """

    facts: Facts
    group: Any
    coverage: Any
    numbers: Mapping[str, Fraction]
    acknowledged: Mapping[str, date] = field(default_factory=dict)
    supposed: frozenset[str] = frozenset()
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)


class lazy(Generic[Owner, T]):  # noqa: N801 - named as the decorator it is
    """An attribute that is worked out when first asked for, and kept.

    `functools.cached_property` does so too, under a lock until Python 3.12.
    """

    def __init__(self, work: Callable[[Owner], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, owner: None, kind: type[Owner]) -> lazy[Owner, T]: ...
    @overload
    def __get__(self, owner: Owner, kind: type[Owner]) -> T: ...
    def __get__(self, owner: Owner | None, kind: type[Owner]) -> lazy[Owner, T] | T:
        if owner is None:
            return self
        made = owner.__dict__[self._name] = self._work(owner)
        return made


def once(work: Callable[[Context, *Subject], T]) -> Callable[[Context, *Subject], T]:
    """Let a function work out each answer once for a question; its subject must be hashable."""

    @wraps(work)
    def ask(context: Context, *subject: *Subject) -> T:
        key = (work, *subject)
        found: T = context.memo.get(key, _UNASKED)
        if found is _UNASKED:
            found = context.memo[key] = work(context, *subject)
        return found

    return ask


Leaf = Callable[[Context], Answer]
LeafMaker = Callable[[Spec], Leaf]


@dataclass(frozen=True, slots=True)
class LeafKind:
    """A word of the policy vocabulary: how to build it and which query keys it reads."""

    name: str
    make: LeafMaker
    keys: Callable[[Spec], tuple[str, ...]]


LEAVES: dict[str, LeafKind] = {}


def leaf(
    name: str, *, keys: tuple[str, ...] | Callable[[Spec], tuple[str, ...]]
) -> Callable[[LeafMaker], LeafMaker]:
    """Register a leaf under its name in policy files, with the query keys it reads."""

    def register(make: LeafMaker) -> LeafMaker:
        reads = keys if callable(keys) else lambda _spec: keys
        LEAVES[name] = LeafKind(name, make, reads)
        return make

    return register
