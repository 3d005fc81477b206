"""Single measurements: read from Observations and forms, put on one scale, each counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from cds_service.evidence import fields
from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days
from cds_service.evidence.forms import Form, Forms
from cds_service.record.model import Resource
from cds_service.terminology import Measure, promis

USED = frozenset({"final", "amended", "corrected"})
PRELIMINARY = "preliminary"
RAW = "-raw"
OBSERVED, ANSWERED, SCORED = 0, 1, 2
LOW = frozenset({"L", "LL", "LU", "<"})
HIGH = frozenset({"H", "HH", "HU", ">"})


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement on one scale.

    `values` are the values it can mean on that scale: more than one when the record does not say
    which way it was scored. `version` is that of the form, None when not known. `raw` is the sum
    of the items behind a T-score, `error` its standard error. `source` says how it was recorded:
    observed, answered in a form, or scored here from a form's items. A measure that has no numbers
    has `answers` in place of values: the value sets of a code, or yes or no.
    """

    measure: str
    days: Days
    values: tuple[Fraction, ...]
    scale: str
    version: str | None
    finding: Finding
    stamp: str = ""
    source: int = OBSERVED
    preliminary: bool = False
    raw: Fraction | None = None
    error: Fraction | None = None
    flags: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    late_baseline: bool = False

    @property
    def day(self) -> date:
        """The day it counts on; the first one of a partial date."""
        return self.days.first

    @property
    def figure(self) -> str:
        """The value for a reader, without remarks on how it was scored."""
        return (self.finding.value or "").partition(" (")[0]

    @property
    def content(self) -> object:
        """What it says, to tell whether two say the same."""
        return self.values, self.answers


def in_order(point: Point) -> tuple[date, str, int]:
    """Order points by day, then by the time they were taken or last changed."""
    return point.day, point.stamp, -point.source


class Readings:
    """Everything measured, each measurement once; `notes` says what could not be used."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.notes: list[str] = []
        self._forms = {form.reference: form for form in facts.of(Forms).forms}
        self._scored = {
            (point.measure, form.reference): point
            for form in self._forms.values()
            for point in self._score(form.resource, _item_answers(form.resource), (form.date,))
        }
        self._derived: set[tuple[str, str]] = set()
        observed = list(self._observed())
        from_forms = {**self._scored, **self._stated()}
        answered = [point for key, point in from_forms.items() if key not in self._derived]
        self.points = _with_raw_sums(
            [*observed, *answered, *self._of_items([*observed, *answered])]
        )

    def _observed(self) -> Iterator[Point]:
        for observation in self.facts.record.of_type("Observation"):
            status = fields.text(observation, "status")
            if status in USED or status == PRELIMINARY:
                for holder in (observation, *fields.items(observation, "component")):
                    yield from self._read(observation, holder, status == PRELIMINARY)

    def _read(self, observation: Resource, holder: Resource, preliminary: bool) -> Iterator[Point]:
        dates = _observed_on(observation)
        for measure in self.facts.terminology.measures_coded(fields.codings([holder.get("code")])):
            point = self._point(measure, observation, holder, dates)
            if point:
                point = self._derive(point, observation)
                yield _not_final(point) if preliminary else point

    def _derive(self, point: Point, observation: Resource) -> Point:
        """Return the point with what the form behind it tells: its version and raw sum."""
        sources = [fields.reference(one) for one in fields.items(observation, "derivedFrom")]
        for form in (self._forms[one] for one in sources if one in self._forms):
            key = (point.measure, form.reference)
            self._derived.add(key)
            scored = self._scored.get(key)
            point = replace(point, version=_version(form, scored), raw=_raw(scored))
        return point

    def _stated(self) -> dict[tuple[str, str], Point]:
        """Return the scores that forms state, with the raw sums of their items."""
        found: dict[tuple[str, str], Point] = {}
        for form in self._forms.values():
            for measure, answer in self._scores_of(form):
                key = (measure.id, form.reference)
                scored = self._scored.get(key)
                point = self._point(measure, form.resource, answer, (form.date,))
                if point:
                    version, raw = _version(form, scored), _raw(scored)
                    found[key] = replace(point, source=ANSWERED, version=version, raw=raw)
        return found

    def _scores_of(self, form: Form) -> Iterator[tuple[Measure, Resource]]:
        for item in fields.walk(form.resource):
            link = fields.text(item, "linkId") or ""
            for measure in self.facts.terminology.measures_answered(form.questionnaires, link):
                for answer in fields.items(item, "answer")[:1]:
                    yield measure, answer

    def _of_items(self, known: Iterable[Point]) -> Iterator[Point]:
        """Yield scores of PROMIS items that were recorded as Observations of one day."""
        scored = {(point.measure, point.days) for point in known}
        by_day: dict[Days, dict[str, Resource]] = defaultdict(dict)
        for observation in self.facts.record.of_type("Observation"):
            items = [c for _, c in fields.codings([observation.get("code")]) if promis.is_item(c)]
            days, _ = fields.first_date(self.facts, *_observed_on(observation))
            if items and days and days.exact and fields.text(observation, "status") in USED:
                by_day[days].update(dict.fromkeys(items, observation))
        for days, answers in by_day.items():
            first = next(iter(answers.values()))
            for point in self._score(first, answers, _observed_on(first)):
                if (point.measure, days) not in scored:
                    yield point

    def _score(
        self, resource: Resource, answers: Mapping[str, Resource], dates: Iterable[str | None]
    ) -> Iterator[Point]:
        days, written = fields.first_date(self.facts, *dates)
        if not days or not any(map(promis.is_item, answers)):
            return
        for score in promis.score(answers):
            measure = self.facts.terminology.measure(score.measure)
            value = f"{shown(score.t)} (T-score, computed from items)"
            yield Point(
                measure.id,
                days,
                (score.t,),
                measure.scale.id,
                f"items {score.version}",
                Finding(fields.identity(resource), written, value, measure.title, days.first),
                stamp=_stamp(resource),
                source=SCORED,
                raw=score.raw,
                error=score.se,
            )

    def _point(
        self, measure: Measure, resource: Resource, holder: Resource, dates: Iterable[str | None]
    ) -> Point | None:
        """Return what one value says; None when it says nothing that can be used."""
        days, written = fields.first_date(self.facts, *dates)
        number, unit = _number(holder)
        values = measure.canonical(number, unit) if number is not None else ()
        answers = self._answers(holder) if measure.kind != "number" else frozenset()
        reference = fields.identity(resource)
        if not days or not (values or answers):
            self._leave_out(measure, reference, number, unit, dated=days is not None)
            return None
        said = _said(number, unit) if number is not None else _word(holder)
        day = days.first if days.exact else None
        return Point(
            measure.id,
            days,
            values,
            measure.scale.id,
            None,
            Finding(reference, written, said, measure.title, day, value_sets=answers),
            stamp=_stamp(resource),
            flags=_flags(holder, number),
            answers=answers,
        )

    def _answers(self, holder: Resource) -> frozenset[str]:
        """Return what a coded or boolean value says: its value sets, or yes or no."""
        if isinstance(said := holder.get("valueBoolean"), bool):
            return frozenset({"yes" if said else "no"})
        coded = fields.items(holder, "valueCodeableConcept")
        answered = [{"coding": [one]} for one in fields.items(holder, "valueCoding")]
        found = [*coded, *answered]
        return fields.value_sets(self.facts, found) or fields.codes(found)

    def _leave_out(
        self,
        measure: Measure,
        reference: str,
        number: Fraction | None,
        unit: str | None,
        *,
        dated: bool,
    ) -> None:
        if number is not None:
            why = "does not fit its scale" if dated else "has no date"
            value = f"{shown(number)} {unit or ''}".strip()
            self.notes.append(f"{reference}: {measure.title} {value} {why} and is not used")


def _not_final(point: Point) -> Point:
    return replace(point, preliminary=True, finding=replace(point.finding, suspected=True))


def _version(form: Form, scored: Point | None) -> str | None:
    """Return the version of a form: which items it has, else the version its canonical names."""
    if scored:
        return scored.version
    return f"form {form.version}" if form.version else None


def _raw(scored: Point | None) -> Fraction | None:
    return scored.raw if scored else None


def _with_raw_sums(points: list[Point]) -> list[Point]:
    """Add raw sums recorded by themselves to the T-scores of the same measure and day."""
    sums = {
        (p.measure, p.days): p.values[0] for p in points if p.measure.endswith(RAW) and p.values
    }
    return [
        replace(point, raw=sums[key])
        if point.raw is None and (key := (f"{point.measure}{RAW}", point.days)) in sums
        else point
        for point in points
    ]


def readings(facts: Facts) -> tuple[list[Point], list[str]]:
    """Return every measurement of a record, once each, and notes on what was left out."""
    found = facts.of(Readings)
    return found.points, found.notes


def _observed_on(observation: Resource) -> tuple[str | None, ...]:
    return (
        fields.text(observation, "effectiveDateTime"),
        fields.period_start(observation, "effectivePeriod"),
        fields.text(observation, "effectiveInstant"),
        fields.text(observation, "issued"),
    )


def _stamp(resource: Resource) -> str:
    updated = fields.text(fields.item(resource, "meta"), "lastUpdated")
    taken = next((one for one in _observed_on(resource) if one), None)
    return f"{taken or fields.text(resource, 'authored') or ''} {updated or ''}"


def _number(holder: Resource) -> tuple[Fraction | None, str | None]:
    """Return a number with its unit; a value with a comparator is no number."""
    quantity = fields.item(holder, "valueQuantity")
    if quantity:
        value = None if quantity.get("comparator") else fields.number(quantity.get("value"))
        return value, fields.text(quantity, "code") or fields.text(quantity, "unit")
    written = (holder.get(name) for name in ("valueDecimal", "valueInteger", "valueString"))
    return next((n for one in written if (n := fields.number(one)) is not None), None), None


def _word(holder: Resource) -> str | None:
    """Return a coded or boolean value for a reader."""
    if isinstance(said := holder.get("valueBoolean"), bool):
        return "yes" if said else "no"
    concept = fields.item(holder, "valueCodeableConcept")
    return fields.label(concept or {"coding": [fields.item(holder, "valueCoding")]}, "") or None


def _flags(holder: Resource, number: Fraction | None) -> frozenset[str]:
    """Return "low" or "high" as the laboratory flags a value or its limits show."""
    said = fields.codes(fields.items(holder, "interpretation"))
    found = {name for name, known in (("low", LOW), ("high", HIGH)) if said & known}
    if number is not None:
        for limits in fields.items(holder, "referenceRange"):
            found |= _outside(number, limits)
    return frozenset(found)


def _outside(number: Fraction, limits: Resource) -> set[str]:
    low = fields.number(fields.item(limits, "low").get("value"))
    high = fields.number(fields.item(limits, "high").get("value"))
    below = {"low"} if low is not None and number < low else set()
    return below | ({"high"} if high is not None and number > high else set())


def _item_answers(response: Resource) -> dict[str, Resource]:
    """Return the first answer of each item by its linkId."""
    return {
        link: answers[0]
        for item in fields.walk(response)
        if (link := fields.text(item, "linkId")) and (answers := fields.items(item, "answer"))
    }


def _said(number: Fraction, unit: str | None) -> str:
    """Return a value for a reader: an annotation such as {T-score} in brackets, a score bare."""
    note = (unit or "").strip("{}")
    if not note or note == "score":
        return shown(number)
    return f"{shown(number)} ({note})" if unit != note else f"{shown(number)} {note}"


def shown(value: Fraction) -> str:
    """Return a number as people write it: whole, or with its decimals."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"
