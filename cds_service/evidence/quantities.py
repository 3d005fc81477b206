"""Quantities that policies compare: a number with the facts that gave it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from msgspec import Struct

from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Context, once
from cds_service.record.model import Hole


class Quantity(Struct, frozen=True):
    """A number, None when the record does not state it, with its evidence.

    With `holes` a count is what was found at least. `low` and `high` bound a number that is not
    known exactly (a birth date of which only the year is given), so that a comparison which both
    ends agree on can still be answered.
    """

    value: Fraction | None
    findings: tuple[Finding, ...] = ()
    holes: tuple[Hole, ...] = ()
    low: Fraction | None = None
    high: Fraction | None = None


QuantityOf = Callable[[Context], Quantity]


class QuantityKind(Struct, frozen=True):
    """A quantity of the policy vocabulary: how to work it out and which query keys it reads."""

    name: str
    of: QuantityOf
    keys: tuple[str, ...]

    def __call__(self, context: Context) -> Quantity:
        """Work the quantity out for one question."""
        return self.of(context)


QUANTITIES: dict[str, QuantityKind] = {}


def quantity(name: str, *, keys: tuple[str, ...] = ()) -> Callable[[QuantityOf], QuantityOf]:
    """Register a quantity under its name in policy files, with the query keys it reads."""

    def register(of: QuantityOf) -> QuantityOf:
        QUANTITIES[name] = QuantityKind(name, once(of), keys)
        return of

    return register


def figure(number: Fraction | int) -> str:
    """Return a number for a reader, with two decimals at most."""
    return f"{round(float(number), 2):g}"
