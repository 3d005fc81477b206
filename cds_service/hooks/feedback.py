"""Feedback on cards: every entry checked before any is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from cds_service.hooks.errors import HookError
from cds_service.hooks.request import parse_json

OUTCOMES = ("accepted", "overridden")
LONGEST_ID = 256

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")


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
    listed = parse_json(body).get("feedback")
    if not isinstance(listed, list):
        _refuse("feedback", 'send {"feedback": [...]}')
    return tuple(_entry(entry, f"feedback[{at}]") for at, entry in enumerate(listed))


def _refuse(place: str, remedy: str) -> NoReturn:
    words = f"{place} cannot be used: {remedy}. Nothing of this call was kept."
    raise HookError(400, "value", words, place)


def _entry(entry: object, place: str) -> FeedbackEntry:
    if not isinstance(entry, dict):
        _refuse(place, "send an object for each card")
    outcome = entry.get("outcome")
    if outcome not in OUTCOMES:
        _refuse(f"{place}.outcome", f"write {' or '.join(OUTCOMES)}")
    system, code, comment = _override(entry, place)
    return FeedbackEntry(
        card=_id(entry.get("card"), f"{place}.card", "write the uuid of the card").lower(),
        outcome=outcome,
        at=_moment(entry.get("outcomeTimestamp"), f"{place}.outcomeTimestamp"),
        suggestions=_suggestions(entry, outcome, place),
        system=system,
        code=code,
        comment=comment,
    )


def _id(value: object, place: str, remedy: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_ID or not _PRINTABLE.match(value):
        _refuse(place, remedy)
    return value


def _moment(value: object, place: str) -> datetime:
    remedy = "write an RFC 3339 time in UTC such as 2026-03-16T14:05:00Z"
    if not isinstance(value, str) or not _MOMENT.match(value):
        _refuse(place, remedy)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse(place, remedy)


def _suggestions(entry: Mapping[str, Any], outcome: str, place: str) -> tuple[str, ...]:
    """Return the accepted suggestions; they are demanded of an accepted card alone."""
    place = f"{place}.acceptedSuggestions"
    listed = entry.get("acceptedSuggestions")
    if outcome != "accepted":
        listed = listed or []
    elif not listed:
        _refuse(place, "name the suggestions that were accepted")
    if not isinstance(listed, list):
        _refuse(place, 'write [{"id": uuid}]')
    return tuple(_suggestion(item, f"{place}[{at}]") for at, item in enumerate(listed))


def _suggestion(item: object, place: str) -> str:
    value = item.get("id") if isinstance(item, dict) else None
    return _id(value, f"{place}.id", "write the uuid of the suggestion").lower()


def _override(entry: Mapping[str, Any], place: str) -> tuple[str, str, str | None]:
    """Return (system, code, comment); a Coding may lack its display, and some lack the system."""
    given = entry.get("overrideReason")
    if given is None:
        return "", "", None
    place = f"{place}.overrideReason"
    if not isinstance(given, dict):
        _refuse(place, "write an object with reason, userComment or both")
    comment = given.get("userComment")
    if comment is not None and not isinstance(comment, str):
        _refuse(f"{place}.userComment", "write a text")
    if given.get("reason") is None and not comment:
        _refuse(place, "give a reason, a userComment or both")
    return *_reason(given.get("reason"), f"{place}.reason"), _text(comment)


def _reason(reason: object, place: str) -> tuple[str, str]:
    if reason is None:
        return "", ""
    if not isinstance(reason, dict):
        _refuse(place, "write a Coding")
    code = _id(reason.get("code"), f"{place}.code", "write the code of the reason")
    system = reason.get("system")
    return _id(system, f"{place}.system", "write a URI") if system is not None else "", code


def _text(comment: str | None) -> str | None:
    """Return the comment without NUL, which no database takes."""
    return comment.replace("\0", "") if comment else None
