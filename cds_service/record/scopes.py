"""What the scopes of an access token let us read (SMART App Launch, v1 and v2 syntax)."""

from __future__ import annotations

import re
from functools import lru_cache

_SCOPE = re.compile(r"(?:patient|user|system)/(\*|[A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(?:\?.*)?")


def may_read(scope: str | None, resource_type: str) -> bool:
    """Whether a token with these scopes may read or search a type.

    A scope text that names no resource at all says nothing, and the server is asked.
    """
    granted = _readable(scope or "")
    return granted is None or "*" in granted or resource_type in granted


@lru_cache(maxsize=256)
def _readable(scope: str) -> frozenset[str] | None:
    found = [match for word in scope.split() if (match := _SCOPE.fullmatch(word))]
    if not found:
        return None
    return frozenset(match[1] for match in found if _reads(match[2]))


def _reads(right: str) -> bool:
    return right in ("*", "read") or (right != "write" and ("r" in right or "s" in right))
