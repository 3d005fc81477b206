"""What the scopes of an access token let us read (SMART App Launch, v1 and v2 syntax)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

_SCOPE = re.compile(
    r"(?:patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(?:\?(.*))?"
)

Part = frozenset[str] | None
"""The categories that a scope is limited to; None: to none. Another limit leaves no category."""


def may_read(scope: str | None, resource_type: str) -> bool:
    """Whether a token with these scopes may read or search a type.

    A scope text that names no resource at all says nothing, and the server is asked.
    """
    granted = _readable(scope or "")
    return granted is None or "*" in granted or resource_type in granted


def reads_in_part(scope: str | None, resource_type: str, categories: Iterable[str] = ()) -> bool:
    """Whether a search brings only some of what there is, and the server will not say so.

    So it is where each scope for the type has a limit ("patient/Condition.rs?category=..."), unless
    these are categories and together all those over which the data are spread.
    """
    granted = _readable(scope or "")
    if granted is None:
        return False
    parts = [part for name in ("*", resource_type) for part in granted.get(name, ())]
    if not parts or None in parts:
        return False
    wanted = frozenset(categories)
    return not wanted or not wanted <= frozenset().union(*filter(None, parts))


@lru_cache(maxsize=256)
def _readable(scope: str) -> Mapping[str, list[Part]] | None:
    """Return the types that may be read, each with what its scopes are limited to."""
    found = [match for word in scope.split() if (match := _SCOPE.fullmatch(word))]
    if not found:
        return None
    granted: defaultdict[str, list[Part]] = defaultdict(list)
    for match in found:
        if _reads(match[2]):
            granted[match[1]].append(_part(match[3]))
    return dict(granted)


def _reads(right: str) -> bool:
    return right in ("*", "read") or (right != "write" and ("r" in right or "s" in right))


def _part(query: str | None) -> Part:
    if not query:
        return None
    limits = parse_qsl(query, keep_blank_values=True)
    if [name for name, _ in limits] != ["category"]:
        return frozenset()
    return frozenset(value.rpartition("|")[2] for value in limits[0][1].split(","))
