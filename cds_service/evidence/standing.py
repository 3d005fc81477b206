"""How a safety finding stands: looked into since, cleared, or open (G-21)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from msgspec import Struct

from cds_service.evidence.answer import Finding, Status
from cds_service.evidence.codings import data
from cds_service.evidence.context import Context, Facts
from cds_service.evidence.documents import Document, Documents
from cds_service.evidence.encounters import Encounters, Event, roles_of

KEYS = ("encounters", "documents")
CHRONIC_LIMIT = "addressed-chronic-days"


class Standing(Struct, frozen=True):
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


class Act(Struct, frozen=True):
    """Something a clinician did on a day, with the value sets of what it was about."""

    day: date
    about: frozenset[str]
    finding: Finding


class Acts:
    """Evaluations, and documents that clear massage, up to the order's date."""

    def __init__(self, facts: Facts) -> None:
        documents = [d for d in facts.of(Documents).documents if d.signed is Status.MET]
        rules = data("standing.yaml")
        consults = (d for d in documents if d.kinds & set(rules["consults"]))
        seen = (e for e in facts.of(Encounters).events if _evaluates(e, facts))
        acts = (*_acts(seen, facts), *_acts(consults, facts))
        self._evaluations = sorted(acts, key=_day, reverse=True)
        self._newest: dict[str, int] = {}
        for place, act in enumerate(self._evaluations):
            for name in act.about:
                self._newest.setdefault(name, place)
        cleared = (d for d in documents if rules["cleared"] in d.content)
        self._cleared = max(_acts(cleared, facts), key=_day, default=None)

    def evaluation(self, about: frozenset[str], since: date) -> Act | None:
        """Return the newest evaluation of something in the value sets, from a day on."""
        place = min((self._newest[name] for name in about & self._newest.keys()), default=None)
        return None if place is None else _from(self._evaluations[place], since)

    def clearance(self, since: date) -> Act | None:
        """Return the newest document that clears massage, from a day on."""
        return _from(self._cleared, since)


def _day(act: Act) -> date:
    return act.day


def _from(act: Act | None, since: date) -> Act | None:
    return act if act and act.day >= since else None


def _evaluates(event: Event, facts: Facts) -> bool:
    rules = data("standing.yaml")
    if event.status != "finished" or not event.kinds & set(rules["encounters"]):
        return False
    if event.kinds & set(rules["always"]):
        return True
    roles = roles_of(event, facts)
    return not roles or bool(roles & set(rules["evaluators"]))


def _acts(events: Iterable[Event | Document], facts: Facts) -> Iterator[Act]:
    for event in events:
        about = event.about if isinstance(event, Document) else event.reasons
        if event.days and event.days.first <= facts.day:
            yield Act(event.days.first, about, event.finding)


def standing(finding: Finding, subject: frozenset[str], context: Context) -> Standing:
    """Return how a finding stands on the order's date; `subject` are the flag's value sets."""
    acts = context.facts.of(Acts)
    since = finding.day or date.min
    wanted = finding.value_sets & subject or subject
    evaluated = acts.evaluation(wanted, since)
    cleared = acts.clearance(evaluated.day if evaluated else since)
    recent = evaluated is not None and _recent(evaluated.day, context)
    return Standing(
        evaluated=evaluated.finding if evaluated else None,
        reviewed=evaluated.finding if evaluated and recent else None,
        cleared=cleared.finding if cleared else None,
    )


def _recent(day: date, context: Context) -> bool:
    return (context.facts.day - day).days <= context.numbers[CHRONIC_LIMIT]
