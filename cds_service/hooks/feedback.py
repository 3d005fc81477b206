"""Feedback on cards: every entry checked before any is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from cds_service.hooks import schemas
from cds_service.hooks.errors import HookError
from cds_service.hooks.request import parse_json

LEAP = re.compile(r":60(?=[.Z+-])")


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What a user did with one card.

    `card` is its uuid, `outcome` accepted or overridden, `at` the moment of it (aware, UTC),
    `suggestions` uuids of those accepted, `system` and `code` the reason for going on (empty where
    none was chosen). The comment is free text and stays out of the repr and so of logs.
    """

    card: str
    outcome: str
    at: datetime
    suggestions: tuple[str, ...] = ()
    system: str = ""
    code: str = ""
    comment: str | None = field(default=None, repr=False)


FeedbackSink = Callable[[str, Any, Sequence[FeedbackEntry]], None]
"""What keeps feedback: service id, caller, entries."""


def parse_feedback(body: bytes) -> tuple[FeedbackEntry, ...]:
    """Return the entries of a feedback call.

    Raises HookError 400 when one of them is wrong, with its index: then none may be kept.
    """
    call = _without_nothing(parse_json(body))
    problem = schemas.shallowest(schemas.problems("feedback", call))
    if problem:
        _refuse(problem.place, str(problem))
    return tuple(_entry(entry, f"feedback[{at}]") for at, entry in enumerate(call["feedback"]))


def _without_nothing(value: Any) -> Any:
    """Leave out null, "", [] and {}, and objects of these: senders write what they do not have."""
    if isinstance(value, dict):
        members = ((name, _without_nothing(item)) for name, item in value.items())
        return {name: item for name, item in members if item not in (None, "", [], {})}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


def _refuse(place: str, words: str) -> NoReturn:
    raise HookError(400, "value", f"{words}. Nothing of this call was kept.", place)


def _entry(entry: Mapping[str, Any], place: str) -> FeedbackEntry:
    given = entry.get("overrideReason", {})
    reason = given.get("reason", {})
    accepted = entry.get("acceptedSuggestions", ())
    return FeedbackEntry(
        card=entry["card"].lower(),
        outcome=entry["outcome"],
        at=_moment(entry["outcomeTimestamp"], f"{place}.outcomeTimestamp"),
        suggestions=tuple(one["id"].lower() for one in accepted),
        system=reason.get("system", ""),
        code=reason.get("code", ""),
        comment=_comment(given.get("userComment")),
    )


def _moment(value: str, place: str) -> datetime:
    """Return the moment in UTC; a leap second counts as the one before it."""
    try:
        return datetime.fromisoformat(LEAP.sub(":59", value.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse(place, f"{place} must be a day and time that exist")


def _comment(comment: str | None) -> str | None:
    """Return the comment without NUL, which no database takes."""
    return comment.replace("\0", "") if comment else None
