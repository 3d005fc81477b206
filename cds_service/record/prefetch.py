"""What the client sent along: the five states of a prefetch value."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cds_service.record.bundle import Entry, Page, page_of
from cds_service.record.queries import Query, catalogue

log = logging.getLogger(__name__)


class State(StrEnum):
    """How far a prefetch value answers its query."""

    SUPPLIED = "supplied"
    EMPTY = "empty"
    ABSENT = "absent"
    ERROR = "error"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Supply:
    """A judged prefetch value.

    `next_url` is where an incomplete one goes on, if it says so, `matches` how much of its total is
    there; `reason` the issue code of an error. Entries beside an error or before a missing page are
    data all the same.
    """

    state: State
    entries: Sequence[Entry] = ()
    next_url: str | None = None
    matches: int = 0
    reason: str = ""


_ABSENT = Supply(State.ABSENT)
_EMPTY = Supply(State.EMPTY)


def supplies_of(prefetch: Any) -> dict[str, Supply]:
    """Return the judged values of all query keys; keys that are no query key are ignored."""
    values = prefetch if isinstance(prefetch, Mapping) else {}
    return {
        key: judge(query, values[key])
        for key, query in catalogue().queries.items()
        if key in values
    }


def judge(query: Query, value: Any) -> Supply:
    """Return the state of one prefetch value, as CDS Hooks 2.0.1 gives it meaning.

    null is "asked, nothing there", except for a read, which cannot be empty.
    """
    if value is None:
        return _ABSENT if query.is_read else _EMPTY
    page = page_of(value)
    if page is None or not _answers(query, page):
        log.warning(
            "prefetch %s: nothing of type %s in it, ignored", query.key, query.resource_type
        )
        return _ABSENT
    if page.entries and value["resourceType"] != "Bundle" and not query.is_read:
        # One resource where a search was asked for: nobody says that it is all.
        return Supply(State.INCOMPLETE, page.entries, matches=page.matches)
    return _judge_page(page, query)


def _answers(query: Query, page: Page) -> bool:
    wanted = query.resource_type
    found = (entry["resource"].get("resourceType") == wanted for entry in page.entries)
    return not page.entries or any(found)


def _judge_page(page: Page, query: Query) -> Supply:
    if page.fault:
        return Supply(State.ERROR, page.entries, reason=page.fault)
    if page.reduced:
        return Supply(State.INCOMPLETE, page.entries)
    if page.next_url or (page.total or 0) > page.matches:
        return Supply(State.INCOMPLETE, page.entries, page.next_url, page.matches)
    if not page.entries:
        return _ABSENT if query.is_read else _EMPTY
    return Supply(State.SUPPLIED, page.entries)
