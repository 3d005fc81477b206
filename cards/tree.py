"""The criteria that a result rests on, and the other ways by which it could have been reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cds_service.evaluation import CriterionResult
from cds_service.evidence.answer import Status

NEED_ONE = ("any", "at-least")


class Tree:
    """The criteria of one evaluation, read from the root.

    `deciding` are the leaves that bear on the result, in the policy's order; `other_ways` the
    branches that failed beside the one nearest to being met, in words.
    """

    def __init__(self, criteria: Sequence[CriterionResult]) -> None:
        self._named = {item.id: item for item in criteria}
        self._below = {item.id: self._members(item, criteria) for item in criteria}
        self._other: list[str] = []
        self._bearing: set[str] = set()
        inner = {child.id for members in self._below.values() for child in members}
        for item in criteria:
            if item.counts and item.id not in inner:
                self._collect(item, frozenset())
        self.deciding = [item for item in criteria if item.id in self._bearing]
        self.other_ways = tuple(dict.fromkeys(self._other))

    def alternatives(self, items: Iterable[str]) -> bool:
        """Whether one of several branches is enough, and each asks for some of these items."""
        wanted = set(items)
        return any(self._split(group, wanted) for group in self._named.values())

    def _split(self, group: CriterionResult, wanted: set[str]) -> bool:
        if group.operator != "any" or group.status is not Status.UNKNOWN:
            return False
        asked = [set(self._asks(child)) for child in self._below[group.id]]
        asking = [ids for ids in asked if ids]
        return len(asking) > 1 and set.union(*asking) == wanted

    def _asks(self, item: CriterionResult) -> Iterator[str]:
        if item.status is Status.UNKNOWN:
            yield from item.asks
            for child in self._below[item.id]:
                yield from self._asks(child)

    def _members(
        self, group: CriterionResult, criteria: Sequence[CriterionResult]
    ) -> list[CriterionResult]:
        if group.members:
            return [self._named[name] for name in group.members if name in self._named]
        return [item for item in criteria if item.parent == group.id and item.id != group.id]

    def _collect(self, item: CriterionResult, above: frozenset[str]) -> None:
        if not item.counts or item.status is Status.NA or item.id in above:
            return
        members = self._below[item.id]
        if not members:
            self._bearing.add(item.id)
        for child in self._chosen(item, members):
            self._collect(child, above | {item.id})

    def _chosen(
        self, group: CriterionResult, members: Sequence[CriterionResult]
    ) -> Sequence[CriterionResult]:
        """Return the members that made the group what it is: of failed ways, the nearest one."""
        alike = [item for item in members if item.status is group.status]
        if group.operator not in NEED_ONE or not alike:
            return members
        if group.operator != "any" or group.status is not Status.NOT_MET:
            return alike
        nearest = max(alike, key=self._met_below)
        self._other += [item.text for item in alike if item is not nearest]
        return [nearest]

    def _met_below(self, item: CriterionResult) -> int:
        leaves = self._leaves(item, frozenset())
        return sum(leaf.status is Status.MET and not leaf.derived for leaf in leaves)

    def _leaves(self, item: CriterionResult, above: frozenset[str]) -> Iterator[CriterionResult]:
        members = self._below[item.id]
        if not members:
            yield item
        for child in members:
            if child.id not in above:
                yield from self._leaves(child, above | {item.id})
