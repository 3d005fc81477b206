"""Diagnoses of a record on the order's date (G-05, G-09)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.answer import Finding
from cds_service.evidence.codings import CERTAIN, belongs, regions, resolve, status, value
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.fields import Coding
from cds_service.record.model import Resource
from cds_service.terminology.systems import ICD10CM, SNOMED, normal_system

ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
INACTIVE = frozenset({"inactive", "remission", "resolved"})
ENCOUNTER = "encounter-diagnosis"
_CODED = frozenset({ICD10CM, SNOMED})
_NAMED = 3


class ConditionFact(Struct, frozen=True):
    """A diagnosis on file, or a reason of the order that nothing on file bears out.

    `clinical` and `verification` are status codes or None; `still` tells that it is marked as over
    but ended only after the order's date. `onset`, `recorded`, `abated` are days or None; `written`
    is the date shown to people. `due_to` are value sets of its cause, `reason` whether the orders
    give it as their reason, `stated` whether only the orders state it. `told` is the day of the
    encounter of a diagnosis that stands on no problem list: nobody takes it off.
    """

    reference: str
    codings: tuple[Coding, ...]
    text: str
    value_sets: frozenset[str]
    due_to: frozenset[str]
    clinical: str | None
    verification: str | None
    onset: Days | None
    recorded: Days | None
    abated: Days | None
    written: str | None
    regions: frozenset[str]
    side: str | None
    still: bool = False
    reason: bool = False
    stated: bool = False
    via: str | None = None
    told: Days | None = None

    @property
    def suspected(self) -> bool:
        """Whether it is not confirmed; a status that is absent counts as confirmed."""
        return self.verification not in CERTAIN

    @property
    def over(self) -> bool:
        """Whether it is inactive, in remission or resolved on the order's date."""
        return self.clinical in INACTIVE and not self.still

    def finding(self, on: date) -> Finding:
        """Return it as evidence; `day` is the newest day it can have begun on."""
        days = self.onset or self.recorded
        return Finding(
            reference=self.reference,
            date=self.written,
            value=value([{"coding": [{"code": code} for _, code in self.codings]}]),
            text=self.text,
            day=min(days.last, on) if days else None,
            regions=self.regions,
            side=self.side,
            suspected=self.suspected,
            value_sets=self.value_sets,
            via=self.via,
        )


class Conditions:
    """The diagnoses of a record on the order's date.

    `facts` leaves out refuted, erroneous and future-dated ones and those of other patients;
    `refuted` are kept apart, because they contradict a reason of the order, and so are `mistaken`
    ones, entered in error, which leave it in doubt. What was told and is settled since counts as it
    ended: an encounter's diagnosis that the problem list closed, a suspicion that was ruled out
    (G-21). `notes` are remarks.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts: list[ConditionFact] = []
        self.refuted: list[ConditionFact] = []
        self.notes: list[str] = []
        for resource in facts.record.of_type("Condition"):
            if isinstance(resource, dict):
                self._take(resource, facts)
        self._settle(facts.day)
        self.notes += _uncompared(self.facts)
        withdrawn = facts.record.retracted.get("Condition", ())
        self.mistaken = [condition_fact(resource, facts) for resource in withdrawn]

    def _take(self, resource: Resource, facts: Facts) -> None:
        fact = condition_fact(resource, facts)
        if not belongs(resource, "subject", facts.record.patient_id):
            return
        if fact.verification == "refuted":
            self.refuted.append(fact)
        elif fact.verification == "entered-in-error":
            return
        elif _future(fact, facts.day):
            named = f"{fact.text} ({fact.reference})"
            self.notes.append(f"{named} bears a date after the order's and is left out.")
        else:
            self.facts.append(fact)

    def _settle(self, on: date) -> None:
        """Give what was told the end that another record of the same diagnosis states."""
        over = (one for one in self.facts if one.over and not one.told)
        closed = _Settling(over, _end_of)
        denied = _Settling((one for one in self.refuted if not _future(one, on)), _day_of)
        told, self.facts = self.facts, []
        for fact in told:
            if fact.suspected and denied.since(fact):
                self.refuted.append(fact)
            elif fact.told and not fact.over and (end := closed.since(fact)):
                self.facts.append(replace(fact, clinical=end.clinical, abated=end.abated))
            else:
                self.facts.append(fact)


class _Kind(Struct, frozen=True):
    """What may part two diagnoses that share a code: codes of other systems, side and region."""

    others: frozenset[Coding]
    side: str | None
    regions: frozenset[str]

    def agrees(self, other: _Kind) -> bool:
        """Whether both share a code in each system that both use, and no side or region differs."""
        used = _systems(self.others) & _systems(other.others)
        sides = {side for side in (self.side, other.side) if side}
        apart = self.regions and other.regions and not self.regions & other.regions
        return used == _systems(self.others & other.others) and len(sides) < 2 and not apart


class _Settled(Struct, frozen=True):
    """A record that settles others: its place in the chart, and the newest day up to it."""

    place: int
    newest: date
    fact: ConditionFact


class _Settling:
    """Records that settle others, by code and kind: charts tell of a diagnosis at each visit."""

    def __init__(
        self, found: Iterable[ConditionFact], day_of: Callable[[ConditionFact], Days | None]
    ) -> None:
        self._known: dict[Coding, dict[_Kind, list[_Settled]]] = {}
        for place, fact in enumerate(found):
            if day := day_of(fact):
                for coding, kind in _kinds(fact):
                    alike = self._known.setdefault(coding, {}).setdefault(kind, [])
                    newest = max(day.first, alike[-1].newest) if alike else day.first
                    alike.append(_Settled(place, newest, fact))

    def since(self, fact: ConditionFact) -> ConditionFact | None:
        """Return the first record of the same diagnosis whose day is not before the fact's."""
        told = _day_of(fact)
        if told is None or not self._known:
            return None
        for coding, kind in _kinds(fact):
            alike = (
                found[at]
                for known, found in self._known.get(coding, {}).items()
                if (at := bisect_left(found, told.last, key=_newest_of)) < len(found)
                and kind.agrees(known)
            )
            if first := min(alike, key=_place_of, default=None):
                return first.fact
        return None


def _kinds(fact: ConditionFact) -> Iterable[tuple[Coding, _Kind]]:
    """Yield each code, with what may part the diagnosis from others of that code."""
    codings = dict.fromkeys((normal_system(system), code) for system, code in fact.codings)
    for system, code in codings:
        others = frozenset(one for one in codings if one[0] != system)
        yield (system, code), _Kind(others, fact.side, fact.regions)


def _systems(codings: Iterable[Coding]) -> set[str | None]:
    return {system for system, _ in codings}


def _newest_of(one: _Settled) -> date:
    return one.newest


def _place_of(one: _Settled) -> int:
    return one.place


def _newest(*days: Days | None) -> Days | None:
    return max(filter(None, days), key=lambda one: one.last, default=None)


def _day_of(fact: ConditionFact) -> Days | None:
    return _newest(fact.told, fact.recorded, fact.onset)


def _end_of(fact: ConditionFact) -> Days | None:
    return fact.abated


def _uncompared(found: Iterable[ConditionFact]) -> list[str]:
    """Name diagnoses that no rule can know, for they bear no code of a system that rules use."""
    unknown = [
        one.text
        for one in found
        if not (one.over or one.value_sets or _CODED & {normal_system(s) for s, _ in one.codings})
    ]
    if not unknown:
        return []
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    named = ", ".join(unknown[:_NAMED])
    return [f"Without an ICD-10-CM or SNOMED CT code, and so held against no rule: {named}{more}"]


def _future(fact: ConditionFact, on: date) -> bool:
    return any(days is not None and days.first > on for days in (fact.onset, fact.recorded))


def condition_fact(resource: Resource, facts: Facts) -> ConditionFact:
    """Read one Condition."""
    code = fields.item(resource, "code")
    recorded, recorded_text = _in_life(*fields.first_date(facts, *_noted(resource)), facts)
    onset, onset_text = _onset(resource, facts)
    abated = _abated(resource, facts)
    where, side = _where(resource, code, facts)
    clinical = status(resource, "clinicalStatus")
    return ConditionFact(
        reference=fields.identity(resource),
        codings=fields.known_codes(facts, [code]),
        via=fields.via(facts, [code]),
        text=fields.label(code, "Condition"),
        value_sets=fields.value_sets(facts, [code]),
        due_to=_due_to(resource, facts),
        clinical=clinical or ("resolved" if abated and abated.last <= facts.day else None),
        verification=status(resource, "verificationStatus"),
        onset=_not_later(onset, recorded),
        recorded=recorded,
        abated=abated,
        written=onset_text or recorded_text,
        regions=where,
        side=side,
        still=abated is not None and abated.first > facts.day,
        told=_told(resource, onset, recorded, facts),
    )


def _noted(resource: Resource) -> Iterable[str | None]:
    """Yield when a diagnosis was recorded, then when it was first asserted, as US Core has it."""
    yield fields.text(resource, "recordedDate")
    yield fields.text(resource, "dateRecorded")
    for extension in fields.items(resource, "extension"):
        if extension.get("url") == ASSERTED:
            yield fields.text(extension, "valueDateTime")


def is_told(resource: Resource) -> bool:
    """Whether an encounter alone tells of a Condition."""
    return fields.codes(fields.items(resource, "category")) == {ENCOUNTER}


def _told(
    resource: Resource, onset: Days | None, recorded: Days | None, facts: Facts
) -> Days | None:
    """Return the newest day of a diagnosis of an encounter alone, None for any other."""
    if not is_told(resource):
        return None
    known = _newest(onset, recorded)
    if known:
        return known
    met = resolve(facts.record, resource, fields.item(resource, "encounter"))
    return fields.first_date(facts, fields.period_start(met, "period"))[0]


def _not_later(onset: Days | None, recorded: Days | None) -> Days | None:
    """Narrow a partial onset: it does not lie after the day it was recorded."""
    if onset and recorded and onset.first <= recorded.last < onset.last:
        return Days(onset.first, recorded.last)
    return onset


def _onset(resource: Resource, facts: Facts) -> tuple[Days | None, str | None]:
    period = fields.text(fields.item(resource, "onsetPeriod"), "start")
    stated = fields.first_date(facts, fields.text(resource, "onsetDateTime"), period)
    days, written = _in_life(*stated, facts)
    return (days, written) if days else (_onset_by_age(resource, facts), None)


def _onset_by_age(resource: Resource, facts: Facts) -> Days | None:
    """Return the year of life in which it began, where onset is given as an age in years."""
    age = fields.item(resource, "onsetAge")
    years = fields.number(age.get("value"))
    born = _born(facts)
    if born is None or years is None or years < 0 or age.get("code", age.get("unit")) != "a":
        return None
    earliest, latest = _birthday(born.first, int(years)), _birthday(born.last, int(years) + 1)
    if earliest is None or latest is None or earliest > facts.day:
        return None
    return Days(earliest, min(latest - timedelta(days=1), facts.day))


def _in_life(
    days: Days | None, written: str | None, facts: Facts
) -> tuple[Days | None, str | None]:
    """Return a date with its text; none before birth, such as the 1900-01-01 of a database."""
    born = _born(facts)
    before = days is not None and born is not None and days.last < born.first
    return (None, None) if before else (days, written)


def _born(facts: Facts) -> Days | None:
    patient = next(iter(facts.record.of_type("Patient")), None)
    return parse_days(fields.text(patient, "birthDate"), facts.zone)


def _birthday(born: date, years: int) -> date | None:
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        last_of_february = (born.month, born.day) == (2, 29) and born.year + years < date.max.year
        return date(born.year + years, 3, 1) if last_of_february else None


def _abated(resource: Resource, facts: Facts) -> Days | None:
    period = fields.text(fields.item(resource, "abatementPeriod"), "end")
    return fields.first_date(facts, fields.text(resource, "abatementDateTime"), period)[0]


def _where(resource: Resource, code: Resource, facts: Facts) -> tuple[frozenset[str], str | None]:
    """Return region and side: the body site where it is understood, else what the code says."""
    by_code, side_by_code = regions(facts, code)
    sites = fields.items(resource, "bodySite")
    if not sites:
        return by_code, side_by_code
    here, side = regions(facts, *sites)
    if not here:
        return by_code, side or side_by_code
    agrees = side is None and len(sites) == 1 and (not by_code or by_code & here)
    return here, side_by_code if agrees else side


def _due_to(resource: Resource, facts: Facts) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for extension in fields.items(resource, "extension"):
        if extension.get("url") != DUE_TO:
            continue
        found |= fields.value_sets(facts, [fields.item(extension, "valueCodeableConcept")])
        cause = resolve(facts.record, resource, fields.item(extension, "valueReference"))
        found |= fields.value_sets(facts, [fields.item(cause, "code")])
    return found
