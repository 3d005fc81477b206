"""Medicines ordered: by ingredient or product, active or for how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction

from msgspec import Struct

from cds_service.evidence import fields
from cds_service.evidence.answer import Answer, Finding, Status
from cds_service.evidence.codings import resolve
from cds_service.evidence.context import Context, Facts, Leaf, Spec, leaf
from cds_service.evidence.dates import Days
from cds_service.evidence.dosing import LONGEST, Daily, daily_dose, last_day
from cds_service.evidence.lengths import days_of
from cds_service.evidence.routes import acts_locally
from cds_service.record.model import Hole, Resource

RUNNING = "active"
COMPLETED = "completed"
ENDED = frozenset({"stopped", COMPLETED, "on-hold"})
KEY = "medications"
MEANT = frozenset({"proposal", "plan", "option"})
"""Intents of what nobody takes, save for a plan by which a patient reports to take it."""
MILLIGRAM = frozenset({"mg", "milligram", "milligrams"})


class Course(Struct, frozen=True):
    """One medicine order: when it began and, where known, the last day it lasts.

    `codes` name the medicine, `daily` is its dose a day with the unit, where stated in numbers,
    `local` tells that it acts where it is put.
    """

    kinds: frozenset[str]
    active: bool
    start: Days | None
    end: date | None
    finding: Finding
    status: str = RUNNING
    codes: frozenset[fields.Coding] = frozenset()
    daily: Daily | None = None
    unnamed: bool = False
    local: bool = False


class Medications:
    """Medicine orders that were really given, up to the order's date."""

    def __init__(self, facts: Facts) -> None:
        found = (
            _course(facts, one)
            for one in facts.record.of_type("MedicationRequest")
            if fields.text(one, "status") in {RUNNING, *ENDED}
            and (fields.text(one, "intent") not in MEANT or _reported(one))
            and one.get("doNotPerform") is not True
        )
        self.courses = [c for c in found if c.start is None or c.start.first <= facts.day]
        unnamed = (c.finding.reference for c in self.courses if c.unnamed)
        self.holes = tuple(Hole(KEY, f"Medication of {name}", "absent") for name in unnamed)


def unread(context: Context) -> tuple[Hole, ...]:
    """Return what was not read: the query's holes, and medicines that are only referred to."""
    return (*fields.holes_of(context, KEY), *context.facts.of(Medications).holes)


def _reported(resource: Resource) -> bool:
    """Whether a medicine is one that the patient is said to take: US Core has it as a plan.

    A plan that names neither who reports nor who asks may be one.
    """
    if fields.text(resource, "intent") != "plan":
        return False
    told = resource.get("reportedBoolean")
    if isinstance(told, bool):
        return told
    asked = fields.reference(fields.item(resource, "requester"))
    return "reportedReference" in resource or not asked or asked.startswith(fields.PERSONS)


def _course(facts: Facts, resource: Resource) -> Course:
    pointed = resolve(facts.record, resource, fields.item(resource, "medicationReference"))
    concepts = list(_concepts(resource, pointed))
    start, written = fields.first_date(
        facts, fields.text(resource, "authoredOn"), _validity(resource, "start")
    )
    end = _end(facts, resource, start)
    status = fields.text(resource, "status") or ""
    kinds = fields.value_sets(facts, concepts)
    title = next((fields.label(one, "") for one in concepts), "") or "Medicine"
    value = next((code for _, code in fields.codings(concepts)), None)
    day = start.first if start and start.exact else None
    return Course(
        kinds,
        status == RUNNING and (end is None or end >= facts.day),
        start,
        end,
        Finding(
            fields.identity(resource),
            written,
            f"{value or '?'} ({status})",
            title,
            day,
            via=fields.via(facts, concepts),
        ),
        status,
        frozenset(fields.codings(concepts)),
        daily_dose(resource),
        not concepts and _elsewhere(resource),
        bool(kinds) and acts_locally(facts, resource, pointed),
    )


def _concepts(resource: Resource, pointed: object) -> Iterable[Resource]:
    """Return what names the medicine: its own code, the Medication's and its ingredients'."""
    yield from fields.items(resource, "medicationCodeableConcept")
    yield from fields.items(pointed, "code")
    for ingredient in fields.items(pointed, "ingredient"):
        yield from fields.items(ingredient, "itemCodeableConcept")


def _elsewhere(resource: Resource) -> bool:
    """Whether the medicine stands in a resource of its own."""
    reference = fields.reference(fields.item(resource, "medicationReference"))
    return reference is not None and not reference.startswith("#")


def _validity(resource: Resource, name: str) -> str | None:
    dispense = fields.item(resource, "dispenseRequest")
    return fields.text(fields.item(dispense, "validityPeriod"), name)


def _end(facts: Facts, resource: Resource, start: Days | None) -> date | None:
    """Return the last day stated: that of the doses, else of the days supplied."""
    last = last_day(resource, start, facts.zone)
    supplied = _supplied(resource)
    if last is None and start and supplied:
        last = start.last + timedelta(days=supplied - 1)
    return last


def _supplied(resource: Resource) -> int | None:
    """Return the days that the supply with its repeats lasts, where it is not still repeated."""
    if fields.text(resource, "status") == RUNNING:
        return None
    dispense = fields.item(resource, "dispenseRequest")
    lasts = days_of(fields.item(dispense, "expectedSupplyDuration"))
    if lasts is None or lasts[1] > LONGEST:
        return None
    repeats = fields.number(dispense.get("numberOfRepeatsAllowed")) or 0
    return min(int(lasts[1] * (1 + max(0, min(repeats, LONGEST)))), LONGEST)


@leaf("medication", keys=("medications",))
def medication(spec: Spec) -> Leaf:
    """Ask for a medicine in the value sets, active, in time, or taken for some days.

    `systemic` passes over what acts where it is put, such as creams, drops and inhalers. With
    `for`, exposure counts in days on which any of the medicines ran, within the last
    `within` days; an ended course whose end is not stated leaves it open.
    """
    kinds, limit = frozenset(fields.names(spec["in"])), spec.get("within")
    unwanted = frozenset(fields.names(spec.get("not-in")))
    systemic = bool(spec.get("systemic"))
    active, length, least = bool(spec.get("active")), spec.get("for"), spec.get("daily-mg")

    def judge(context: Context, one: Course) -> Status:
        dosed = Status.MET if least is None else _dosed(one, Fraction(least))
        return fields.weakest([dosed, in_time(context, one)])

    def in_time(context: Context, one: Course) -> Status:
        if active and not one.active:
            return Status.NOT_MET
        if limit is None or one.active:
            return Status.MET
        last = _interval(context.facts, one)[1]
        recent = fields.recent(context.facts, Days(last, last), limit) if last else Status.NOT_MET
        begun = fields.recent(context.facts, one.start, limit)
        return Status.MET if Status.MET in (recent, begun) else begun

    def ask(context: Context) -> Answer:
        every = context.facts.of(Medications).courses
        named = [c for c in every if kinds & c.kinds and not unwanted & c.kinds]
        courses = [c for c in named if not (systemic and c.local)]
        judged = [(judge(context, one), one) for one in courses]
        if length is not None:
            kept = [one for status, one in judged if status is not Status.NOT_MET]
            status = _exposed(context.facts, kept, fields.whole(length), limit)
            judged = [(status, one) for one in kept]
        found = [(status, one.finding) for status, one in judged]
        return fields.answer(found, unread(context))

    return ask


def _dosed(one: Course, least: Fraction) -> Status:
    """Whether the daily dose is so many milligrams; unknown where it is not stated so."""
    if one.daily is None or one.daily.unit not in MILLIGRAM:
        return Status.UNKNOWN
    if one.daily.least >= least:
        return Status.MET
    return Status.UNKNOWN if one.daily.most >= least else Status.NOT_MET


def _interval(facts: Facts, one: Course) -> tuple[date | None, date | None]:
    """Return the first and last day of a course; None for a day that is not stated."""
    first = one.start.first if one.start and one.start.exact else None
    if one.active:
        return first, facts.day
    return first, min(one.end, facts.day) if one.end else None


def _exposed(facts: Facts, courses: Sequence[Course], length: int, limit: object) -> Status:
    earliest = facts.day - timedelta(days=fields.whole(limit)) if limit is not None else date.min
    sure: set[date] = set()
    perhaps: set[date] = set()
    for one in courses:
        first, last = _interval(facts, one)
        start = max(first or (one.start.first if one.start else earliest), earliest)
        days = _days(start, last or facts.day)
        perhaps |= days
        if first and last:
            sure |= days
    if len(sure) >= length:
        return Status.MET
    return Status.UNKNOWN if len(perhaps) >= length else Status.NOT_MET


def _days(first: date, last: date) -> set[date]:
    length = min((last - first).days + 1, LONGEST)
    return {last - timedelta(days=back) for back in range(length)}
