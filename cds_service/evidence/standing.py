"""How a safety finding stands: looked into since, cleared, or open (G-21)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Context, Facts
from cds_service.evidence.dates import Days, parse_days
from cds_service.record.model import Resource, relative

EVALUATING_ENCOUNTERS = frozenset({"encounter-emergency", "encounter-primary-care"})
CLEARED = "massage-cleared"
CHRONIC_LIMIT = "addressed-chronic-days"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the record says was done about a finding.

    `evaluated` is an encounter or consult that looked at it; `reviewed` one recent enough to
    answer a flag that asks for a prompt review; `cleared` a signed document that clears massage.
    """

    evaluated: Finding | None = None
    reviewed: Finding | None = None
    cleared: Finding | None = None

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found, each once."""
        found = (self.evaluated, self.reviewed, self.cleared)
        return tuple(dict.fromkeys(item for item in found if item))


@dataclass(frozen=True, slots=True)
class _Event:
    """An encounter or document on a day that looked at some codes or conditions."""

    finding: Finding
    day: date
    value_sets: frozenset[str]
    references: frozenset[str]


class Events:
    """Encounters that evaluate, consults, and documents that clear massage."""

    def __init__(self, facts: Facts) -> None:
        encounters = (_encounter(item, facts) for item in facts.record.of_type("Encounter"))
        documents = list(facts.record.of_type("DocumentReference"))
        consults = (_document(item, facts, consult=True) for item in documents)
        cleared = (_document(item, facts, consult=False) for item in documents)
        self.evaluations = [e for e in (*encounters, *consults) if e and e.day <= facts.day]
        self.clearances = [e for e in cleared if e and e.day <= facts.day]


def standing(finding: Finding, subject: frozenset[str], context: Context) -> Standing:
    """Return how a finding stands on the order's date; `subject` are the flag's value sets."""
    events = context.facts.of(Events)
    since = finding.day or date.min
    looked = [e for e in events.evaluations if e.day >= since and _about(e, finding, subject)]
    evaluated = max(looked, key=lambda event: event.day, default=None)
    cleared_since = evaluated.day if evaluated else since
    cleared = [e for e in events.clearances if e.day >= cleared_since]
    newest = max(cleared, key=lambda event: event.day, default=None)
    recent = evaluated and _recent(evaluated.day, context)
    return Standing(
        evaluated=evaluated.finding if evaluated else None,
        reviewed=evaluated.finding if evaluated and recent else None,
        cleared=newest.finding if newest else None,
    )


def _recent(day: date, context: Context) -> bool:
    return (context.facts.day - day).days <= context.numbers[CHRONIC_LIMIT]


def _about(event: _Event, finding: Finding, subject: frozenset[str]) -> bool:
    """Whether the event's reason references the flag."""
    return finding.reference in event.references or bool(
        event.value_sets & (finding.value_sets & subject or subject)
    )


def _encounter(resource: Resource, facts: Facts) -> _Event | None:
    if resource.get("status") != "finished":
        return None
    kinds = _classified([*_list(resource, "type"), {"coding": [resource.get("class")]}], facts)
    period = resource.get("period")
    day = _day(period.get("start") if isinstance(period, dict) else None, facts)
    if day is None or not kinds & EVALUATING_ENCOUNTERS:
        return None
    reasons = _classified(_list(resource, "reasonCode"), facts)
    diagnoses = [d.get("condition") for d in _list(resource, "diagnosis")]
    references = _references([*_list(resource, "reasonReference"), *diagnoses])
    return _event(resource, "Encounter", day, "seen", reasons, references)


def _document(resource: Resource, facts: Facts, *, consult: bool) -> _Event | None:
    if resource.get("status") != "current" or resource.get("docStatus") not in (
        "final",
        "amended",
    ):
        return None
    day = _document_day(resource, facts)
    if day is None or not _wanted(resource, facts, consult):
        return None
    context = resource.get("context")
    related = _list(context, "related") if isinstance(context, dict) else []
    return _event(
        resource,
        "DocumentReference",
        day,
        "consult note" if consult else "massage cleared",
        _classified(_list(resource, "category"), facts),
        _references(related),
    )


def _wanted(resource: Resource, facts: Facts, consult: bool) -> bool:
    if consult:
        return "document-consult" in _classified([resource.get("type")], facts)
    return any(
        coding.get("code") == CLEARED
        for concept in _list(resource, "category")
        for coding in _list(concept, "coding")
    )


def _event(
    resource: Resource,
    kind: str,
    day: date,
    text: str,
    value_sets: frozenset[str],
    references: frozenset[str],
) -> _Event:
    reference = f"{kind}/{resource.get('id')}"
    return _Event(
        Finding(reference, day.isoformat(), None, text, day), day, value_sets, references
    )


def _document_day(resource: Resource, facts: Facts) -> date | None:
    context = resource.get("context")
    period = context.get("period") if isinstance(context, dict) else None
    start = period.get("start") if isinstance(period, dict) else None
    return _day(start or resource.get("date"), facts)


def _day(text: object, facts: Facts) -> date | None:
    days: Days | None = parse_days(text, facts.zone) if isinstance(text, str) else None
    return days.first if days else None


def _classified(concepts: Iterable[object], facts: Facts) -> frozenset[str]:
    codings = [
        (coding.get("system"), coding.get("code"))
        for concept in concepts
        if isinstance(concept, dict)
        for coding in _list(concept, "coding")
        if isinstance(coding.get("code"), str)
    ]
    return facts.terminology.classify(codings) if codings else frozenset()


def _references(items: Iterable[object]) -> frozenset[str]:
    return frozenset(
        relative(item["reference"])
        for item in items
        if isinstance(item, dict) and isinstance(item.get("reference"), str)
    )


def _list(resource: object, name: str) -> list[dict[str, object]]:
    value = resource.get(name) if isinstance(resource, dict) else None
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
