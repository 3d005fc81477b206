"""Fields of FHIR JSON, read tolerantly: what is missing or odd reads as nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any

from cds_service.evidence.answer import Answer, Finding, Status, cannot_tell, not_shown, shown
from cds_service.evidence.context import Context, Facts
from cds_service.evidence.dates import Days, parse_days
from cds_service.record.model import Hole, Resource, relative
from cds_service.terminology import Terminology
from cds_service.terminology.dialect import BARE, WORDS

Coding = tuple[str | None, str]
NUMERIC_TEXT_LIMIT = 40
LONGEST_EXPONENT = 4
PERSONS = ("Patient/", "RelatedPerson/")
"""How a reference begins to a patient or to somebody beside a patient."""


def items(resource: object, name: str) -> Sequence[dict[str, Any]]:
    """Return the objects of a repeating element; a single object counts as one."""
    value = resource.get(name) if isinstance(resource, dict) else None
    if isinstance(value, dict):
        return (value,)
    if not isinstance(value, list):
        return ()
    for one in value:
        if not isinstance(one, dict):
            return [item for item in value if isinstance(item, dict)]
    return value


def item(resource: object, name: str) -> dict[str, Any]:
    """Return one object element, empty when there is none."""
    value = resource.get(name) if isinstance(resource, dict) else None
    return value if isinstance(value, dict) else {}


def text(resource: object, name: str) -> str | None:
    """Return a string element."""
    value = resource.get(name) if isinstance(resource, dict) else None
    return value if isinstance(value, str) and value else None


def number(value: object) -> Fraction | None:
    """Return a JSON number, or a number written as text, exactly as written."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    written = str(value).strip()
    return exact(written) if len(written) <= NUMERIC_TEXT_LIMIT else None


@lru_cache(maxsize=4096)
def exact(written: str) -> Fraction | None:
    """Return a number written as text; None for what is none, and for "1/2".

    An exponent beyond any float's would fill the memory with zeros.
    """
    _, _, exponent = written.lower().partition("e")
    if "/" in written or len(exponent) > LONGEST_EXPONENT:
        return None
    try:
        return Fraction(written)
    except ValueError:
        return None


def codings(concepts: Iterable[object]) -> list[Coding]:
    """Return (system, code) of CodeableConcepts."""
    found: list[Coding] = []
    for concept in concepts:
        listed = concept.get("coding") if isinstance(concept, dict) else None
        for coding in listed if isinstance(listed, list) else (listed,):
            if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
                system = coding.get("system")
                named = isinstance(system, str) and system
                found.append((system if named else None, code))
    return found


def words_of(concepts: Iterable[object]) -> list[str]:
    """Return text and displays of CodeableConcepts."""
    said: list[str | None] = []
    for concept in concepts:
        said.append(text(concept, "text"))
        said.extend(text(coding, "display") for coding in items(concept, "coding"))
    return [one for one in said if one]


def coded(facts: Facts, concepts: Iterable[object]) -> list[Coding]:
    """Return (system, code) of CodeableConcepts, then what the site's own codes and words mean."""
    return coded_by(facts.terminology, concepts)


def coded_by(terminology: Terminology, concepts: Iterable[object]) -> list[Coding]:
    """Return the same where only the terminology is at hand."""
    site = terminology.site
    if site is None:
        return codings(concepts)
    listed = list(concepts)
    return site.meant(codings(listed), _uncoded(listed))


def known_codes(facts: Facts, concepts: Iterable[object]) -> tuple[Coding, ...]:
    """Return the codes of CodeableConcepts, then those that the site's own ones stand for."""
    found = coded_by(facts.terminology, concepts)
    return tuple(one for one in found if one[0] not in (BARE, WORDS))


def via(facts: Facts, concepts: Iterable[object]) -> str | None:
    """Say which mappings of the site the concepts go through; None when through none."""
    site = facts.terminology.site
    if site is None:
        return None
    listed = list(concepts)
    return site.via(codings(listed), _uncoded(listed))


def _uncoded(concepts: Iterable[object]) -> Iterator[str]:
    """Yield the words of concepts that carry no code."""
    for concept in concepts:
        if not codings([concept]):
            yield from words_of([concept])


def codes(concepts: Iterable[object]) -> frozenset[str]:
    """Return the codes of CodeableConcepts, whatever their systems."""
    return frozenset(code for _, code in codings(concepts))


def value_sets(facts: Facts, concepts: Iterable[object]) -> frozenset[str]:
    """Return the value sets that hold any coding of the concepts."""
    return facts.terminology.classify(coded_by(facts.terminology, concepts))


def named(facts: Facts, concepts: Iterable[object]) -> frozenset[str]:
    """Return the codes of the concepts, whatever their systems, and the value sets of them."""
    found = coded(facts, concepts)
    return frozenset(code for _, code in found) | facts.terminology.classify(found)


def identity(resource: Resource) -> str:
    """Return "Type/id"; "Type/?" for a resource without an id."""
    return f"{resource.get('resourceType', '?')}/{resource.get('id') or '?'}"


def reference(element: object) -> str | None:
    """Return "Type/id" of a literal reference."""
    written = text(element, "reference")
    return relative(written) if written else None


def first_date(facts: Facts, *written: str | None) -> tuple[Days | None, str | None]:
    """Return the first readable date of several, as days and as written."""
    for one in written:
        if one and (days := parse_days(one, facts.zone)):
            return days, one
    return None, None


def stamp(resource: Resource, written: str | None) -> str:
    """Return what sorts a resource among others of its day: when it was written, then changed."""
    changed = text(resource["meta"], "lastUpdated") if "meta" in resource else None
    return f"{written or ''} {changed or ''}"


def period_start(resource: object, name: str) -> str | None:
    """Return the start of a Period, or its end when only that is given."""
    period = item(resource, name)
    return (text(period, "start") or text(period, "end")) if period else None


def label(concept: object, fallback: str) -> str:
    """Return the text of a CodeableConcept, or the display or code of its first coding."""
    first = next(iter(items(concept, "coding")), {})
    return text(concept, "text") or text(first, "display") or text(first, "code") or fallback


def names(value: object) -> tuple[str, ...]:
    """Return a policy argument that may be one name or a list of names."""
    if isinstance(value, str):
        return (value,)
    listed = value if isinstance(value, (list, tuple)) else ()
    return tuple(one for one in listed if isinstance(one, str))


def whole(value: object) -> int:
    """Return a number of days given as a policy's number."""
    if isinstance(value, int):
        return value
    return int(value if isinstance(value, Fraction) else Fraction(str(value)))


def past(facts: Facts, days: Days | None) -> bool:
    """Whether a date is there and does not lie after the day of the order for certain."""
    return days is not None and days.first <= facts.day


def recent(facts: Facts, days: Days | None, limit: object) -> Status:
    """Whether a date lies within the last `limit` days; any date does when there is no limit."""
    if limit is None:
        return Status.MET
    if days is None or days.first > facts.day:
        return Status.UNKNOWN if days is None else Status.NOT_MET
    if days.exact:
        age = (facts.day - days.first).days
        return Status.MET if age <= whole(limit) else Status.NOT_MET
    return Days(days.first, min(days.last, facts.day)).within(facts.day, whole(limit))


def since(anchor: date | None, days: Days | None) -> Status:
    """Whether a date lies after the anchor; nothing does when there is no anchor."""
    if anchor is None:
        return Status.NOT_MET
    return days.after(anchor) if days else Status.UNKNOWN


def weakest(statuses: Iterable[Status]) -> Status:
    """Return not-met if any is, else unknown if any is, else met."""
    found = set(statuses)
    if Status.NOT_MET in found:
        return Status.NOT_MET
    return Status.UNKNOWN if Status.UNKNOWN in found else Status.MET


def answer(
    found: Iterable[tuple[Status, Finding]],
    holes: tuple[Hole, ...] = (),
    against: Iterable[Finding] = (),
) -> Answer:
    """Return whether any of the facts is shown: met by one, unknown by a doubtful one or a hole.

    `against` is the evidence to show when none is; with a hole it is no evidence.
    """
    met, doubtful = [], []
    for status, finding in found:
        if status is Status.MET:
            met.append(finding)
        elif status is Status.UNKNOWN:
            doubtful.append(finding)
    if met:
        return shown(met)
    return cannot_tell(doubtful, holes) if doubtful else not_shown(() if holes else against, holes)


def holes_of(context: Context, *keys: str) -> tuple[Hole, ...]:
    """Return the holes in the query keys a leaf reads, here and as the site records it."""
    site = context.facts.terminology.site
    return context.facts.record.holes_of(site.also_read(keys) if site else keys)


def walk(resource: object) -> Iterator[dict[str, Any]]:
    """Yield every item of a QuestionnaireResponse in reading order, nested ones too."""
    waiting = [*items(resource, "item")][::-1]
    while waiting:
        one = waiting.pop()
        yield one
        inner = [*items(one, "item")] if "item" in one else []
        for given in items(one, "answer"):
            if "item" in given:
                inner += items(given, "item")
        waiting += inner[::-1]
