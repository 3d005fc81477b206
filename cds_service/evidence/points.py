"""Single measurements: read from Observations and forms, put on one scale, each counted once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction

from msgspec import Struct
from msgspec.structs import replace

from cds_service.evidence import fields
from cds_service.evidence.answer import Finding
from cds_service.evidence.context import Facts
from cds_service.evidence.dates import Days, parse_days
from cds_service.evidence.fields import Coding
from cds_service.evidence.form_items import item_answers, known_items, via_item, via_items
from cds_service.evidence.forms import Form, Forms, meant, yes_or_no
from cds_service.evidence.values import Value, flags_of, shown, value_of, word_of
from cds_service.record.model import Resource
from cds_service.terminology import Measure, promis

USED = frozenset({"final", "amended", "corrected"})
PRELIMINARY = "preliminary"
RAW = "-raw"
OBSERVED, ANSWERED, SCORED = 0, 1, 2
NO_ANSWERS: frozenset[str] = frozenset()
UNKNOWN_ANSWER = "answer-unknown"


class Point(Struct, frozen=True, eq=False):
    """One measurement on one scale.

    `values` are the values it can mean on that scale: more than one when the record does not say
    which way it was scored. `version` is that of the form, None when not known. `raw` is the sum
    of the items behind a T-score, `error` its standard error. `source` says how it was recorded:
    observed, answered in a form, or scored here from a form's items. A measure that has no numbers
    has `answers` in place of values: the value sets of a code, or yes or no. `day` is the one it
    counts on, the first one of a partial date.
    """

    measure: str
    days: Days
    day: date
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


class _Source(Struct, frozen=True):
    """An Observation or a form as points are read from it."""

    reference: str
    days: Days | None
    written: str | None
    stamp: str
    kind: int
    preliminary: bool = False


_Said = tuple[Measure, Days, Value, frozenset[str]]
"""What was measured, when, the number, and the answers it stands for."""


class Readings:
    """Everything measured, each measurement once; `notes` says what could not be used."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._site = facts.terminology.site
        self.notes: list[str] = []
        self._forms = {form.reference: form for form in facts.of(Forms).forms}
        self._items = {name: known_items(form) for name, form in self._forms.items()}
        self._scored = {
            (point.measure, name): point
            for name, form in self._forms.items()
            if (answers := item_answers(self._items[name]))
            for point in self._score(_answered(form), answers, via_items(form))
        }
        self._derived: set[tuple[str, str]] = set()
        self._single: list[tuple[Sequence[str], Resource]] = []
        self._meanings: dict[tuple[Coding, ...], tuple[Sequence[Measure], Sequence[str]]] = {}
        observed = self._observed()
        from_forms = {**self._scored, **self._stated()}
        answered = [point for key, point in from_forms.items() if key not in self._derived]
        self.points = _with_raw_sums(
            [*observed, *answered, *self._of_items([*observed, *answered])]
        )

    def _observed(self) -> list[Point]:
        """Return what Observations say."""
        found: list[Point] = []
        for observation in self.facts.record.of_type("Observation"):
            status = fields.text(observation, "status")
            used = status in USED or status == PRELIMINARY
            if used and not ("focus" in observation and self._is_of_another(observation)):
                self._read(observation, status == PRELIMINARY, found)
        return found

    def _is_of_another(self, observation: Resource) -> bool:
        """Whether it measures somebody else, such as the child of the patient."""
        patient = f"Patient/{self.facts.record.patient_id}"
        focused = {fields.reference(one) or "" for one in fields.items(observation, "focus")}
        return any(one.startswith(fields.PERSONS) and one != patient for one in focused)

    def _read(self, observation: Resource, preliminary: bool, found: list[Point]) -> None:
        """Add what an Observation and its components say; note whether it answers one item."""
        measured = self._measured(observation, observation, preliminary)
        if "component" in observation:
            for part in fields.items(observation, "component"):
                measured += self._measured(part, observation, preliminary)
        if not measured:
            return
        source = _observed(self.facts, observation, preliminary)
        origins = self._origins(observation) if "derivedFrom" in observation else ()
        for measure, holder in measured:
            if said := self._said(measure, source, holder):
                via = fields.via(self.facts, [holder.get("code")]) if self._site else None
                found.append(self._point(said, source, holder, origins, via))

    def _measured(
        self, holder: Resource, observation: Resource, preliminary: bool
    ) -> list[tuple[Measure, Resource]]:
        """Return what an Observation or a component measures; keep what answers an item."""
        measures, items = self._meaning(holder.get("code"))
        answered = [code for code in items if promis.says_something(code, holder)]
        if answered and not preliminary:
            answer = {**observation, **holder, "id": observation.get("id")}
            self._single.append((answered, answer))
        return [(measure, holder) for measure in measures]

    def _meaning(self, concept: object) -> tuple[Sequence[Measure], Sequence[str]]:
        """Return what a code measures, and of which items it is; looked up once for each code."""
        codings = tuple(fields.coded(self.facts, [concept]))
        known = self._meanings.get(codings)
        if known is None:
            measures = self.facts.terminology.measures_coded(codings)
            known = self._meanings[codings] = (measures, promis.items_among(codings))
        return known

    def _origins(self, observation: Resource) -> list[Form]:
        """Return the forms that an Observation is derived from."""
        named = map(fields.reference, fields.items(observation, "derivedFrom"))
        return [self._forms[name] for name in named if name in self._forms]

    def _stated(self) -> dict[tuple[str, str], Point]:
        """Return the scores that forms state and no Observation repeats, with their raw sums."""
        found: dict[tuple[str, str], Point] = {}
        for form in self._forms.values():
            for measure, answer, item in self._scores_of(form):
                said = self._said(measure, form, answer)
                key = measure.id, form.reference
                if said and key not in self._derived:
                    via = via_item(form, item)
                    found[key] = self._point(said, _answered(form), answer, [form], via)
        return found

    def _scores_of(self, form: Form) -> Iterator[tuple[Measure, Resource, Resource]]:
        """Yield what items of a form measure, with the first answer and the item."""
        answered = self.facts.terminology.measures_answered
        for link, item in self._items[form.reference]:
            for measure in answered(form.questionnaires, link):
                for answer in fields.items(item, "answer")[:1]:
                    yield measure, answer, item

    def _of_items(self, known: Iterable[Point]) -> Iterator[Point]:
        """Yield scores of PROMIS items that were recorded as Observations of one day."""
        if not self._single:
            return
        scored = {(point.measure, point.days) for point in known}
        by_day: dict[Days, dict[str, Resource]] = defaultdict(dict)
        for items, observation in sorted(self._single, key=_taken):
            days, _ = fields.first_date(self.facts, *_observed_on(observation))
            if days and days.exact:
                by_day[days].update(dict.fromkeys(items, observation))
        for days, answers in by_day.items():
            source = _observed(self.facts, next(iter(answers.values())))
            via = fields.via(self.facts, [one.get("code") for one in answers.values()])
            for point in self._score(source, answers, via):
                if (point.measure, days) not in scored:
                    yield point

    def _score(
        self, source: _Source, answers: Mapping[str, Resource], via: str | None
    ) -> Iterator[Point]:
        if not source.days:
            return
        for score in promis.score(answers):
            measure = self.facts.terminology.measure(score.measure)
            value = f"{shown(score.t)} (T-score, computed from items)"
            day = source.days.first
            yield Point(
                measure.id,
                source.days,
                day,
                (score.t,),
                measure.scale.id,
                f"items {score.version}",
                Finding(source.reference, source.written, value, measure.title, day, via=via),
                stamp=source.stamp,
                source=SCORED,
                raw=score.raw,
                error=score.se,
            )

    def _said(self, measure: Measure, source: _Source | Form, holder: Resource) -> _Said | None:
        """Return what one value says and when; None when it says nothing that can be used."""
        value = value_of(measure, holder)
        answers = self._answers(measure, holder) if measure.kind != "number" else NO_ANSWERS
        if source.days and (value.values or answers):
            return measure, source.days, value, answers
        self._leave_out(measure, source, value)
        return None

    def _point(
        self,
        said: _Said,
        source: _Source,
        holder: Resource,
        forms: Sequence[Form],
        via: str | None,
    ) -> Point:
        """Return a measurement, with version and raw sum of the form behind it."""
        measure, days, value, answers = said
        version, raw = self._behind(measure, source, forms) if forms else (None, None)
        return Point(
            measure.id,
            days,
            days.first,
            value.values,
            measure.scale.id,
            version,
            Finding(
                source.reference,
                source.written,
                value.said if value.number is not None else word_of(holder),
                measure.title,
                days.first if days.exact else None,
                suspected=source.preliminary,
                value_sets=answers,
                via=via,
            ),
            source.stamp,
            source.kind,
            source.preliminary,
            raw,
            flags=flags_of(holder, value.number),
            answers=answers,
        )

    def _behind(
        self, measure: Measure, source: _Source, forms: Iterable[Form]
    ) -> tuple[str | None, Fraction | None]:
        """Return what the form behind a value tells: its version and raw sum."""
        version, raw = None, None
        for form in forms:
            key = (measure.id, form.reference)
            if source.kind == OBSERVED:
                self._derived.add(key)
            scored = self._scored.get(key)
            version, raw = _version(form, scored), scored.raw if scored else None
        return version, raw

    def _answers(self, measure: Measure, holder: Resource) -> frozenset[str]:
        """Return what a coded or boolean value says: its value sets, or yes or no.

        An answer that it is not known says nothing, and what was known before stands.
        """
        if measure.answers:
            return frozenset(meant(holder, measure.answers)) - {"unknown"}
        if isinstance(said := holder.get("valueBoolean"), bool):
            return frozenset({"yes" if said else "no"})
        coded = fields.items(holder, "valueCodeableConcept")
        answered = [{"coding": [one]} for one in fields.items(holder, "valueCoding")]
        found = [*coded, *answered]
        sets = fields.value_sets(self.facts, found)
        if measure.kind == "boolean" and (word := yes_or_no(sets)):
            return frozenset({word}) - {"unknown"}
        if UNKNOWN_ANSWER in sets:
            return NO_ANSWERS
        return sets or fields.codes(found)

    def _leave_out(self, measure: Measure, source: _Source | Form, value: Value) -> None:
        if value.number is not None:
            why = "does not fit its scale" if source.days else "has no date"
            told = f"{shown(value.number)} {value.unit or ''}".strip()
            self.notes.append(f"{source.reference}: {measure.title} {told} {why} and is not used")


def _observed(facts: Facts, observation: Resource, preliminary: bool = False) -> _Source:
    taken = written = fields.text(observation, "effectiveDateTime")
    days = parse_days(taken, facts.zone)
    if days is None:
        dates = _observed_on(observation)
        days, written = fields.first_date(facts, *dates)
        taken = next(filter(None, dates), None)
    stamp = fields.stamp(observation, taken)
    reference = fields.identity(observation)
    return _Source(reference, days, written, stamp, OBSERVED, preliminary)


def _answered(form: Form) -> _Source:
    return _Source(form.reference, form.days, form.date, form.stamp, ANSWERED)


def _version(form: Form, scored: Point | None) -> str | None:
    """Return the version of a form: which items it has, else the version its canonical names."""
    if scored:
        return scored.version
    return f"form {form.version}" if form.version else None


def _with_raw_sums(points: list[Point]) -> list[Point]:
    """Add raw sums recorded by themselves to the T-scores of the same measure and day."""
    sums = {
        (p.measure, p.days): p.values[0] for p in points if p.measure.endswith(RAW) and p.values
    }
    if not sums:
        return points
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


def _taken(single: tuple[Sequence[str], Resource]) -> str:
    """Return what sorts the answers to single items by when they were given."""
    _, observation = single
    return fields.stamp(observation, next(filter(None, _observed_on(observation)), None))
