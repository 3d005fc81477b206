"""The criteria that a result rests on, and the other ways by which it could have been reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evaluation import CriterionResult
from cds_service.evidence.answer import Status

NEED_ONE = ("any", "at-least")


class Way(Struct, frozen=True):
    """One of several branches that are enough: what it asks for, and whether that is all of it."""

    asks: tuple[str, ...]
    enough: bool


def _least(way: Way) -> tuple[bool, int]:
    return not way.enough, len(way.asks)


class Tree:
    """The criteria of one evaluation, read from the root.

    `deciding` are the leaves that bear on the result, in the policy's order; `other_ways` the
    branches that failed beside the one nearest to being met, in words.
    """

    def __init__(self, criteria: Sequence[CriterionResult]) -> None:
        self._named = {item.id: item for item in criteria}
        named_by = _children(criteria)
        self._below = {item.id: self._members(item, named_by) for item in criteria}
        self._other: list[str] = []
        self._bearing: dict[str, CriterionResult] = {}
        inner = {child.id for members in self._below.values() for child in members}
        for item in criteria:
            if item.counts and item.id not in inner:
                self._collect(item, frozenset())
        self.deciding = [self._bearing[item.id] for item in criteria if item.id in self._bearing]
        self.other_ways = tuple(dict.fromkeys(self._other))

    def ways(self, items: Iterable[str]) -> list[Way]:
        """Return the branches of which one is enough: those that would do first, then by length.

        None where these items are not all theirs, or are but one.
        """
        wanted = set(items)
        found = (self._split(group, wanted) for group in self._named.values())
        return next(filter(None, found), [])

    def _split(self, group: CriterionResult, wanted: set[str]) -> list[Way]:
        if group.operator != "any" or group.status is not Status.UNKNOWN:
            return []
        asking = [way for way in map(self._way, self._below[group.id]) if way.asks]
        asked = {name for way in asking for name in way.asks}
        several = len(asking) > 1 and len(wanted) > 1
        return sorted(asking, key=_least) if several and asked == wanted else []

    def _way(self, branch: CriterionResult) -> Way:
        leaves = [leaf for leaf in self._open(branch) if not leaf.aside]
        asks = dict.fromkeys(name for leaf in leaves for name in leaf.asks)
        return Way(tuple(asks), all(leaf.asks for leaf in leaves))

    def _open(self, item: CriterionResult) -> Iterator[CriterionResult]:
        """Yield what keeps a branch open: leaves, and groups that ask for something themselves."""
        if item.status is not Status.UNKNOWN:
            return
        members = self._below[item.id]
        if item.asks or not members:
            yield item
        for child in members:
            yield from self._open(child)

    def _members(
        self, group: CriterionResult, named_by: Mapping[str, list[CriterionResult]]
    ) -> list[CriterionResult]:
        if group.members:
            return [self._named[name] for name in group.members if name in self._named]
        return named_by.get(group.id, [])

    def _collect(self, item: CriterionResult, above: frozenset[str]) -> None:
        if not item.counts or item.aside or item.status is Status.NA or item.id in above:
            return
        members = self._below[item.id]
        if not members:
            self._bearing[item.id] = item
        elif self._fails_throughout(item):
            self._bearing[item.id] = self._together(item)
            return
        within = above | {item.id}
        for child in self._chosen(item, members):
            self._collect(child, within)

    def _fails_throughout(self, group: CriterionResult) -> bool:
        """Whether none of several ways has anything for it: then the group says it better."""
        failed = group.operator == "any" and group.status is Status.NOT_MET
        tried = [item for item in self._below[group.id] if item.status is not Status.NA]
        return failed and len(tried) > 1 and not any(map(self._met_below, tried))

    def _together(self, group: CriterionResult) -> CriterionResult:
        """Return a group with what its leaves say."""
        leaves = [leaf for leaf in self._leaves(group, frozenset()) if leaf.status is group.status]
        evidence = {finding.reference: finding for leaf in leaves for finding in leaf.evidence}
        return replace(
            group,
            because=next((leaf.because for leaf in leaves if leaf.because), None),
            evidence=tuple(evidence.values()),
            would_change=tuple(dict.fromkeys(w for leaf in leaves for w in leaf.would_change)),
            parameters=tuple(dict.fromkeys(use for leaf in leaves for use in leaf.parameters)),
        )

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
            return
        within = above | {item.id}
        for child in members:
            if child.id not in above:
                yield from self._leaves(child, within)


def _children(criteria: Sequence[CriterionResult]) -> Mapping[str, list[CriterionResult]]:
    """Return the criteria by the parent they name."""
    found: defaultdict[str, list[CriterionResult]] = defaultdict(list)
    for item in criteria:
        if item.parent and item.parent != item.id:
            found[item.parent].append(item)
    return found
