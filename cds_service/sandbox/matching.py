"""Does a resource match one search parameter? FHIR R4 search, the five kinds we serve.

Dates are compared as written, offset dropped: a dateTime counts on its own calendar day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cds_service.sandbox.outcome import FhirError
from cds_service.sandbox.parameters import Parameter

Resource = Mapping[str, Any]
Span = tuple[datetime, datetime]  # first moment, first moment after
Test = Callable[[Any], bool]

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?)?)?")
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(\d.*)")
_COMMA = re.compile(r"(?<!\\),")

_COMPARISONS: dict[str, Callable[[Span, Span], bool]] = {
    "eq": lambda held, asked: asked[0] <= held[0] and held[1] <= asked[1],
    "ne": lambda held, asked: not (asked[0] <= held[0] and held[1] <= asked[1]),
    "gt": lambda held, asked: held[1] > asked[1],
    "ge": lambda held, asked: held[1] > asked[0],
    "lt": lambda held, asked: held[0] < asked[0],
    "le": lambda held, asked: held[0] < asked[1],
    "sa": lambda held, asked: held[0] >= asked[1],
    "eb": lambda held, asked: held[1] <= asked[0],
    "ap": lambda held, asked: held[0] < asked[1] and held[1] > asked[0],
}


def matcher(parameter: Parameter, modifier: str, text: str) -> Callable[[Resource], bool]:
    """Return the test of a resource for `name:modifier=text`; commas mean any of them.

    Raises FhirError for a modifier or a value that FHIR does not allow here.
    """
    if modifier == "missing":
        return _missing(parameter, text)
    negated = parameter.kind == "token" and modifier == "not"
    make = _KINDS[parameter.kind]
    tests = [make("" if negated else modifier, alternative) for alternative in _split(text)]
    if not tests:
        raise FhirError(400, "invalid", f"search parameter {parameter.name} has no value")

    def match(resource: Resource) -> bool:
        return negated != any(test(value) for value in parameter.values(resource) for test in tests)

    return match


def _split(text: str) -> list[str]:
    return [part.replace("\\,", ",") for part in _COMMA.split(text) if part]


def _missing(parameter: Parameter, text: str) -> Callable[[Resource], bool]:
    if text not in {"true", "false"}:
        raise FhirError(400, "value", f"{parameter.name}:missing takes true or false, not {text}")
    wanted = text == "true"
    return lambda resource: wanted == (next(parameter.values(resource), None) is None)


def _refuse(modifier: str) -> None:
    if modifier:
        raise FhirError(400, "not-supported", f"search modifier :{modifier} is not supported")


def _token(modifier: str, text: str) -> Test:
    _refuse(modifier)
    system, bar, code = text.rpartition("|")

    def test(value: Any) -> bool:
        return any(
            (not bar or (held_system or "") == system) and (not code or held_code == code)
            for held_system, held_code in tokens(value)
        )

    return test


def tokens(value: Any) -> Iterator[tuple[str | None, str]]:
    """Yield (system, code) of a code, boolean, Coding, CodeableConcept or Identifier."""
    if isinstance(value, bool):
        yield None, str(value).lower()
    elif isinstance(value, str):
        yield None, value
    elif isinstance(value, Mapping):
        yield from _object_tokens(value)


def _object_tokens(value: Resource) -> Iterator[tuple[str | None, str]]:
    codings = value.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        yield from tokens(coding)
    code = value.get("code") or value.get("value")
    if isinstance(code, str):
        yield value.get("system"), code


def _reference(modifier: str, text: str) -> Test:
    if modifier and not modifier[0].isupper():
        _refuse(modifier)
    wanted = f"{modifier}/{text}" if modifier and "/" not in text else text

    def test(value: Any) -> bool:
        held = value.get("reference") if isinstance(value, Mapping) else None
        return isinstance(held, str) and _same_reference(held, wanted)

    return test


def _same_reference(held: str, wanted: str) -> bool:
    local = "/".join(held.split("/_history/", maxsplit=1)[0].split("/")[-2:])
    return wanted in {held, local, local.split("/")[-1]} or wanted.endswith(f"/{local}")


def _date(modifier: str, text: str) -> Test:
    _refuse(modifier)
    parsed = _PREFIXED.fullmatch(text)
    asked = span(parsed[2]) if parsed else None
    if parsed is None or asked is None:
        raise FhirError(400, "value", f"not a date: {text}; write [prefix]YYYY-MM-DD")
    compare = _COMPARISONS[parsed[1] or "eq"]

    def test(value: Any) -> bool:
        held = span(value)
        return held is not None and compare(held, asked)

    return test


def span(value: Any) -> Span | None:
    """Return the time that a date, dateTime or Period covers; None when it is not readable."""
    if isinstance(value, Mapping):
        return _period(value)
    written = _DATE.match(value) if isinstance(value, str) else None
    if written is None:
        return None
    year, month, day, hour, minute, second = (
        int(part) if part else None for part in written.groups()
    )
    try:
        first = datetime(year or 1, month or 1, day or 1, hour or 0, minute or 0, second or 0)
    except ValueError:
        return None
    return first, _after(first, month, day, hour, second)


def _after(
    first: datetime, month: int | None, day: int | None, hour: int | None, second: int | None
) -> datetime:
    if month is None:
        return _later(first, timedelta(days=366)).replace(month=1, day=1)
    if day is None:
        return _later(first, timedelta(days=31)).replace(day=1)
    if hour is None:
        return _later(first, timedelta(days=1))
    return _later(first, timedelta(minutes=1) if second is None else timedelta(seconds=1))


def _later(moment: datetime, length: timedelta) -> datetime:
    return min(moment, datetime.max - length) + length


def _period(value: Resource) -> Span | None:
    start, end = span(value.get("start")), span(value.get("end"))
    if start is None and end is None:
        return None
    return (start[0] if start else datetime.min), (end[1] if end else datetime.max)


def _uri(modifier: str, text: str) -> Test:
    _refuse(modifier)

    def test(value: Any) -> bool:
        return isinstance(value, str) and text in {value, value.split("|")[0]}

    return test


def _string(modifier: str, text: str) -> Test:
    wanted = text.casefold()
    if modifier == "exact":
        return lambda value: value == text
    if modifier == "contains":
        return lambda value: isinstance(value, str) and wanted in value.casefold()
    _refuse(modifier)
    return lambda value: isinstance(value, str) and value.casefold().startswith(wanted)


_KINDS: dict[str, Callable[[str, str], Test]] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "uri": _uri,
    "string": _string,
}
