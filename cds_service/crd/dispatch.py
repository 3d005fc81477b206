"""The context of order-dispatch, in each of its spellings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cards.request import listed, member
from cds_service.record.model import Resource, relative
from cds_service.record.reader import literal_type

_LISTS = ("dispatchedOrders", "dispatched-orders")
_ONE = "order"
_OURS = ("ServiceRequest", None)


@dataclass(frozen=True)
class Dispatch:
    """Orders on their way: `references` as "ServiceRequest/id", who is to carry them out.

    Orders of other types are not for massage and need not be read.
    """

    references: tuple[str, ...]
    performer: str | None

    def performed(self, order: Resource) -> Resource:
        """Return the order with the performer whom it is sent to."""
        named = [member(one, "reference") for one in listed(order.get("performer"))]
        if not self.performer or named == [self.performer]:
            return order
        return {**order, "performer": [{"reference": self.performer}]}


def dispatch_of(context: Mapping[str, Any]) -> Dispatch:
    """Return what the context of a call says."""
    named = [one for name in _LISTS for one in listed(context.get(name))]
    named.append(context.get(_ONE))
    texts = (one for one in named if isinstance(one, str) and one)
    orders = dict.fromkeys(relative(one) for one in texts if literal_type(one) in _OURS)
    performer = context.get("performer")
    return Dispatch(tuple(orders), performer if isinstance(performer, str) else None)
