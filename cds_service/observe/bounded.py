"""Words that may be labels of a metric: bounded in number, whatever servers answer.

The record gives reasons from a closed list, with HTTP statuses and FHIR issue types in them; a
server that answered a new status each time would still make a new series each time.
"""

from __future__ import annotations

import re
from threading import Lock

MOST = 100
OTHER = "other"

_WORD = re.compile(r"[a-z][a-z0-9-]{1,40}")
_seen: dict[str, str] = {}
_lock = Lock()


def reason(text: str) -> str:
    """Return why data could not be read, or "other" for what is no such word or one too many."""
    return _seen.get(text) or _admitted(text)


def _admitted(text: str) -> str:
    if not _WORD.fullmatch(text):
        return OTHER
    with _lock:
        return _seen.setdefault(text, text) if len(_seen) < MOST else OTHER
