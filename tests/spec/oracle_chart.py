"""What the slow evaluator reads of a record: plain walks over the FHIR resources of a story.

Nothing is indexed; what a walk over the whole record finds is read once. Codes are looked up by
reading the value sets from end to end. From the service come only tables: body regions, measure
catalogue, PROMIS scores.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache, wraps
from pathlib import Path

import yaml

import cds_service
from cds_service.terminology import Terminology, promis

PACKAGE = Path(cds_service.__file__).parent
TERMS = Terminology.load()
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
MET, NOT_MET, UNKNOWN, NA = "met", "not-met", "unknown", "not-applicable"
ERROR = "entered-in-error"


@cache
def table(name):
    return yaml.safe_load((PACKAGE / name).read_text(encoding="utf-8"))


@cache
def all_value_sets():
    folder = PACKAGE / "terminology" / "value_sets"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def plain(system, code):
    return code.replace(".", "").upper() if system == ICD else code


def part_holds(part, system, code):
    """Whether one include or exclude of a value set names a code."""
    if part["system"] != system:
        return False
    dotted = code if len(code) <= 3 else f"{code[:3]}.{code[3:]}"
    named = any(plain(system, one["code"]) == code for one in part.get("concept", []))
    below = any(
        (f["op"] == "is-a" and code.startswith(plain(system, f["value"])))
        or (f["op"] == "regex" and re.fullmatch(f["value"], dotted if system == ICD else code))
        for f in part.get("filter", [])
    )
    return named or below


def excluded(part, system, code):
    """Whether an exclude names a code, or one that it lies under."""
    concepts = [plain(system, one["code"]) for one in part.get("concept", [])]
    above = part["system"] == system and any(code.startswith(one) for one in concepts)
    return above or part_holds(part, system, code)


@cache
def sets_of_code(system, code):
    code = plain(system, code)
    return frozenset(
        one["id"]
        for one in all_value_sets()
        if any(part_holds(part, system, code) for part in one["compose"]["include"])
        and not any(excluded(part, system, code) for part in one["compose"].get("exclude", []))
    )


def codings(*concepts):
    return [
        (coding.get("system"), coding["code"])
        for concept in concepts
        for coding in (concept or {}).get("coding", [])
        if "code" in coding
    ]


def sets(*concepts):
    """Return the value sets that hold a coding of the concepts."""
    return frozenset().union(*(sets_of_code(system, code) for system, code in codings(*concepts)))


def codes(*concepts):
    return {code for _, code in codings(*concepts)}


def practitioners(chart, reference):
    """Return every reference that means the same person, and the value sets of the roles."""
    seen, waiting, held = set(), [reference], set()
    while waiting:
        name = waiting.pop()
        one = chart.resolve({"reference": name})
        if name in seen:
            continue
        seen.add(name)
        if one is None:
            continue
        held |= sets(*one.get("code", []), *one.get("specialty", []))
        held |= sets(*(q["code"] for q in one.get("qualification", [])))
        if "practitioner" in one:
            waiting.append(one["practitioner"]["reference"])
        for role in chart.of("PractitionerRole"):
            if one["resourceType"] == "Practitioner" and role["practitioner"]["reference"] == name:
                waiting.append(f"PractitionerRole/{role['id']}")
    return seen, held


def status_of(concept):
    """Return a status: HL7's coding of it, else the first."""
    found = codings(concept)
    own = [code for system, code in found if system and "hl7.org/" in system]
    return next(iter([*own, *(code for _, code in found)]), None)


def items_of(form):
    """Yield the questions of a form, out of their groups."""
    for item in form.get("item", []):
        yield from items_of(item) if "item" in item else [item]


def regions(*concepts):
    """Return body regions and side; different sides make none."""
    found, sides = set(), set()
    for concept in concepts:
        here, side = TERMS.regions_of(codings(concept), (concept or {}).get("text"))
        found |= here
        if here:
            sides.add(side)
    return frozenset(found), sides.pop() if len(sides) == 1 else None


@dataclass(frozen=True)
class Span:
    """The days that a date, maybe a partial one, can mean."""

    first: date
    last: date


def span(text):
    if not text or text.startswith("0"):
        return None
    if len(text) == 4:
        return Span(date(int(text), 1, 1), date(int(text), 12, 31))
    if len(text) == 7:
        first = date.fromisoformat(f"{text}-01")
        return Span(first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1))
    day = date.fromisoformat(text[:10])
    return Span(day, day)


def told(yes):
    return MET if yes else NOT_MET


def both(one, other):
    """What two days of an interval say: unknown when they differ."""
    return told(one) if one == other else UNKNOWN


def weakest(statuses):
    statuses = list(statuses)
    if NOT_MET in statuses:
        return NOT_MET
    return UNKNOWN if UNKNOWN in statuses else MET


def within(when, day, days):
    """Whether a date lies in the last so many days; later days of a partial one cannot be."""
    if days is None:
        return MET
    if when is None:
        return UNKNOWN
    if when.first > day:
        return NOT_MET
    return both((day - when.first).days <= days, (day - min(when.last, day)).days <= days)


def after(when, day):
    """Whether a date lies after a day; nothing does when there is no such day."""
    if day is None:
        return NOT_MET
    return both(when.first > day, when.last > day) if when else UNKNOWN


@dataclass(frozen=True)
class Found:
    """A piece of evidence, as far as safety rules look at it."""

    name: str
    day: date | None = None
    sets: frozenset = frozenset()
    regions: frozenset = frozenset()
    side: str | None = None
    suspected: bool = False


@dataclass(frozen=True)
class Diagnosis:
    name: str
    codings: tuple
    sets: frozenset
    clinical: str | None
    verification: str | None
    onset: Span | None
    recorded: Span | None
    ended: Span | None
    regions: frozenset
    side: str | None
    causes: frozenset
    reason: bool = False
    stated: bool = False
    told: Span | None = None

    @property
    def suspected(self):
        return self.verification not in (None, "confirmed")

    @property
    def began(self):
        return self.onset or self.recorded


def running(one, at):
    """Whether a diagnosis was there before some days and had not ended by then."""
    began = span(one.get("onsetDateTime")) or span(one.get("recordedDate"))
    ended = span(one.get("abatementDateTime"))
    if not began or began.last >= at.first:
        return False
    if ended:
        return ended.first > at.last
    return status_of(one.get("clinicalStatus")) not in ("inactive", "remission", "resolved")


@dataclass(frozen=True)
class Measured:
    """One value of a measure on a day; several values where its scale is not stated."""

    measure: str
    day: date
    values: tuple
    name: str
    final: bool = True
    raw: Fraction | None = None
    flags: frozenset = frozenset()
    answers: frozenset = frozenset()
    late: bool = False


def read_once(method):
    """Keep what a walk over the record found: the record does not change meanwhile."""

    @wraps(method)
    def ask(chart, *arguments):
        kept = vars(chart).setdefault("kept", {})
        key = (method.__name__, *arguments)
        if key not in kept:
            kept[key] = method(chart, *arguments)
        return kept[key]

    return ask


class SlowChart:
    """A record with its holes, the orders under review, and the day they count on."""

    def __init__(self, resources, orders, day, numbers, holes=(), drafts=(), coverage=None):
        live = [one for one in resources if not in_error(one)]
        self.resources, self.day, self.numbers = live, day, numbers
        self.mistaken = [one for one in resources if in_error(one)]
        self.orders, self.drafts = list(orders), list(drafts) or list(orders)
        self.holes, self.coverage = frozenset(holes), coverage

    def of(self, kind):
        return [one for one in self.resources if one["resourceType"] == kind]

    def resolve(self, reference):
        known = {f"{one['resourceType']}/{one['id']}": one for one in self.resources}
        return known.get((reference or {}).get("reference"))

    def number(self, name):
        return self.numbers[name]

    def unread(self, *keys):
        return frozenset(keys) & self.holes

    # Diagnoses and reasons.

    def diagnosis(self, one):
        verification = status_of(one.get("verificationStatus"))
        clinical = status_of(one.get("clinicalStatus"))
        ended = span(one.get("abatementDateTime"))
        over = clinical in ("inactive", "remission", "resolved")
        if over and ended and ended.first > self.day:
            clinical = "ends later"
        onset, recorded = (self.lived(one.get(name)) for name in ("onsetDateTime", "recordedDate"))
        if onset and recorded and onset.first <= recorded.last < onset.last:
            onset = Span(onset.first, recorded.last)
        where, side = self.place(one)
        causes = [e["valueCodeableConcept"] for e in one.get("extension", []) if e["url"] == DUE_TO]
        return Diagnosis(
            f"Condition/{one['id']}",
            tuple(codings(one["code"])),
            sets(one["code"]),
            clinical,
            verification,
            onset,
            recorded,
            ended,
            where,
            side,
            sets(*causes),
            told=self.told(one, onset, recorded),
        )

    def lived(self, text):
        """Return the days of a date; a day before birth is none."""
        born = [span(one.get("birthDate")) for one in self.of("Patient")]
        days = span(text)
        return None if days and any(b and days.last < b.first for b in born) else days

    @staticmethod
    def told(one, onset, recorded):
        """Return when an encounter told a diagnosis that is on no problem list."""
        known = [when for when in (onset, recorded) if when]
        alone = codes(*one.get("category", [])) == {"encounter-diagnosis"}
        return max(known, key=lambda when: when.last, default=None) if alone else None

    @staticmethod
    def place(one):
        by_code, side_by_code = regions(one["code"])
        here, side = regions(*one.get("bodySite", []))
        if not here:
            return by_code, side or side_by_code
        agrees = side is None and (not by_code or by_code & here)
        return here, side_by_code if agrees else side

    def dated(self):
        every = [self.diagnosis(one) for one in self.of("Condition")]
        return [
            d for d in every if not any(s and s.first > self.day for s in (d.onset, d.recorded))
        ]

    @read_once
    def on_file(self):
        """Return the diagnoses that stand: not refuted, not dated after the order.

        An encounter's diagnosis ends where one of the problem list has ended since.
        """
        standing = []
        for one in self.dated():
            if one.verification == "refuted" or self.ruled_out(one):
                continue
            ends = [d for d in self.dated() if d.verification != "refuted" and closes(d, one)]
            standing.append(ended_with(one, ends[0]) if ends else one)
        return standing

    def ruled_out(self, one):
        """Whether a suspicion was refuted on its newest day or later."""
        denials = [d for d in self.dated() if d.verification == "refuted" and same_thing(d, one)]
        since = newest_day(one)
        return one.suspected and any(
            since and newest_day(d) and newest_day(d).first >= since.last for d in denials
        )

    def refuted(self):
        every = [self.diagnosis(one) for one in self.of("Condition")]
        denied = [d for d in every if d.verification == "refuted"]
        return denied + [d for d in self.dated() if d not in denied and self.ruled_out(d)]

    @read_once
    def reasons(self):
        """Return (order, concept, diagnoses it means, refuted, mistaken) of every reason."""
        known, found = self.on_file(), []
        wrong = [self.diagnosis(one) for one in self.mistaken if one["resourceType"] == "Condition"]
        for order in self.orders:
            named = []
            for reference in order.get("reasonReference", []):
                resource = self.resolve(reference)
                meant = [d for d in known if d.name == reference["reference"]]
                refuted = any(d.name == reference["reference"] for d in self.refuted())
                named += meant
                concept = (resource or {}).get("code") or {}
                found.append((order, concept, meant, refuted, False, resource is None))
            for concept in order.get("reasonCode", []):
                if any(same_kind(concept, d) for d in named):
                    continue
                meant = [d for d in known if same_kind(concept, d)]
                refuted = not meant and any(same_kind(concept, d) for d in self.refuted())
                mistaken = not meant and any(same_kind(concept, d) for d in wrong)
                found.append((order, concept, meant, refuted, mistaken, False))
        return found

    @read_once
    def diagnoses(self):
        """Return the diagnoses on file, and those that only the orders state as a reason."""
        meant = {d.name for _, _, each, _, _, _ in self.reasons() for d in each}
        filed = [Diagnosis(**{**vars(d), "reason": d.name in meant}) for d in self.on_file()]
        stated = []
        for order, concept, each, refuted, mistaken, _ in self.reasons():
            if each or refuted or not codings(concept):
                continue
            where, side = regions(concept)
            verification = "unconfirmed" if mistaken else None
            stated.append(
                Diagnosis(
                    f"ServiceRequest/{order['id']}",
                    tuple(codings(concept)),
                    sets(concept),
                    "active",
                    verification,
                    None,
                    None,
                    None,
                    where,
                    side,
                    frozenset(),
                    reason=True,
                    stated=True,
                )
            )
        return filed + list(dict.fromkeys(stated))

    # Visits.

    @read_once
    def visits(self):
        """Return the days with massage, oldest first, each once."""
        days = set()
        for one in self.of("Procedure"):
            kinds = sets(one["code"]) if one["status"] == "completed" else ()
            if "massage-procedure" in kinds and not self.in_therapy(kinds, one):
                days.add(span(one["performedDateTime"]).first)
        for one in self.of("Encounter"):
            kinds = sets(*one.get("type", [])) if one["status"] == "finished" else ()
            itself = {"encounter": {"reference": f"Encounter/{one['id']}"}}
            if "massage-procedure" in kinds and not self.in_therapy(kinds, itself):
                days.add(span(one["period"]["start"]).first)
        return sorted(day for day in days if day <= self.day)

    def in_therapy(self, kinds, given):
        """Whether manual therapy was part of physical therapy that is not what was ordered."""
        therapist = "role-physical-therapist"
        ordered = [o for o in self.drafts if "massage-procedure" in sets(o["code"])] or self.drafts
        treat = [p for o in ordered for p in o.get("performer", [])]
        named = set().union(*(practitioners(self, p["reference"])[1] for p in treat))
        if not treat:
            named = sets(*(o["performerType"] for o in ordered if "performerType" in o))
        if "massage-therapy-procedure" in kinds or therapist in named:
            return False
        visit = self.resolve(given["encounter"]) if "encounter" in given else None
        people = [p for p in given.get("performer", []) if "actor" in p]
        roles = set().union(*(practitioners(self, p["actor"]["reference"])[1] for p in people))
        roles |= sets(*(p["function"] for p in given.get("performer", []) if "function" in p))
        within = visit is not None and "physical-therapy" in sets(*visit.get("type", []))
        return within or (therapist in roles and "role-massage-therapist" not in roles)

    @read_once
    def new_onsets(self):
        """Return when what the orders treat began, as far as confirmed diagnoses tell."""
        named = {r["reference"] for o in self.drafts for r in o.get("reasonReference", [])}
        stated = {c for o in self.drafts for c in codings(*o.get("reasonCode", []))}
        doubtful = {"refuted", ERROR, "unconfirmed", "provisional", "differential"}
        treated = [
            one
            for one in self.of("Condition")
            if (f"Condition/{one['id']}" in named or stated & set(codings(one["code"])))
            and not codes(one.get("verificationStatus")) & doubtful
        ]
        return [
            span(one["onsetDateTime"])
            for one in treated
            if "onsetDateTime" in one
            and not (
                codes(*one.get("category", [])) == {"encounter-diagnosis"}
                and any(running(other, span(one["onsetDateTime"])) for other in treated)
            )
        ]

    @read_once
    def episode(self):
        """Return the visits of the current episode (G-11)."""
        gap, following, found = int(self.number("episode-gap-days")), self.day, []
        for day in reversed(self.visits()):
            anew = any(day < s.first and s.last <= following for s in self.new_onsets())
            if (following - day).days > gap or anew:
                break
            found.insert(0, day)
            following = day
        return found

    def anchor(self):
        return next(iter(self.episode()), None)

    def begin(self):
        return self.anchor() or self.day

    # Measures.

    @read_once
    def measurements(self):
        """Return every measurement up to the order's date, forms and scores of them once."""
        found = []
        derived = {}
        for one in self.of("Observation"):
            if one["status"] not in ("final", "amended", "corrected", "preliminary"):
                continue
            for part in (one, *one.get("component", [])):
                for measure in TERMS.measures_coded(codings(part.get("code"))):
                    made = self.measured(measure, one, part, one["effectiveDateTime"])
                    if made:
                        found.append(made)
                        for source in one.get("derivedFrom", []):
                            derived[source["reference"], measure.id] = True
        for form in self.of("QuestionnaireResponse"):
            if form["status"] in ("completed", "amended"):
                found += [
                    made
                    for made in self.answered(form)
                    if (f"QuestionnaireResponse/{form['id']}", made.measure) not in derived
                ]
        return [one for one in found if one.day <= self.day]

    def measured(self, measure, resource, part, when):
        value = part.get("valueQuantity")
        numbers = (
            [value["value"]]
            if value
            else [part[n] for n in ("valueDecimal", "valueInteger") if n in part]
        )
        unit = (value or {}).get("code") or (value or {}).get("unit")
        comparator = (value or {}).get("comparator")
        if comparator:
            values = measure.beyond(Fraction(str(numbers[0])), unit, comparator)
        else:
            values = measure.canonical(Fraction(str(numbers[0])), unit) if numbers else ()
        said = part.get("valueCodeableConcept")
        answers = (sets(said) or codes(said)) if said and measure.kind != "number" else ()
        if "answer-unknown" in answers:
            answers = ()
        if not (values or answers):
            return None
        return Measured(
            measure.id,
            span(when).first,
            tuple(values),
            f"{resource['resourceType']}/{resource['id']}",
            resource.get("status") != "preliminary",
            flags=self.flags(part, numbers),
            answers=frozenset(answers),
        )

    @staticmethod
    def flags(part, numbers):
        said = codes(*part.get("interpretation", []))
        low = [r["low"]["value"] for r in part.get("referenceRange", []) if "low" in r]
        below = any(number < limit for number in numbers for limit in low)
        return frozenset({"low"} if below or said & {"L", "LL", "LU", "<"} else ())

    def answered(self, form):
        """Return what a form states, and PROMIS scores of its items."""
        canonical = form["questionnaire"].split("|")[0]
        names = {canonical, canonical.rsplit("/", 1)[-1]}
        given = {i["linkId"]: i["answer"][0] for i in items_of(form) if i.get("answer")}
        for link, answer in given.items():
            for measure in TERMS.measures_answered(names, link):
                made = self.measured(measure, form, answer, form["authored"])
                if made:
                    yield made
        for score in promis.score(given) if any(map(promis.is_item, given)) else ():
            yield Measured(
                score.measure,
                span(form["authored"]).first,
                (score.t,),
                f"QuestionnaireResponse/{form['id']}",
                raw=score.raw,
            )

    @read_once
    def series(self, measure):
        """Return the final values of a measure, oldest first, the last one of each day."""
        by_day = {m.day: m for m in self.measurements() if m.measure == measure and m.final}
        return [by_day[day] for day in sorted(by_day)]

    @read_once
    def preliminary(self, measure):
        final = {(m.day, m.values) for m in self.series(measure)}
        return [
            m
            for m in self.measurements()
            if m.measure == measure and not m.final and (m.day, m.values) not in final
        ]

    def first_baseline_day(self):
        return self.begin() - timedelta(days=int(self.number("baseline-days-before")))

    def baselines(self, measure):
        """Return what can be the baseline, the best first (G-11)."""
        anchor = self.begin()
        late = anchor + timedelta(days=int(self.number("baseline-days-after")))
        series = self.series(measure)
        before = [m for m in series if self.first_baseline_day() <= m.day <= anchor]
        return before[::-1] or [m for m in series if anchor < m.day <= late]

    def follow_ups(self, measure):
        found = self.baselines(measure)
        since = found[0].day if found else self.begin()
        return [m for m in self.series(measure) if m.day > since]

    def current(self, points):
        oldest = self.day - timedelta(days=int(self.number("current-days")))
        return points[-1:] if points and points[-1].day >= oldest else []

    # Sites.

    @read_once
    def sites(self):
        found = []
        for order in self.orders:
            reasons = [regions(concept) for concept in order.get("reasonCode", [])]
            for concept in order.get("bodySite", []):
                here, side = regions(concept)
                if side is None:
                    sides = {other for region, other in reasons if region & here}
                    side = sides.pop() if len(sides) == 1 else None
                found.append((here, side))
        return found

    def places_of_reasons(self):
        """Return where the diagnoses given as reasons lie; nowhere for one that does not tell."""
        places = [(d.regions, d.side) for d in self.diagnoses() if d.reason]
        whole = [(frozenset() if "whole-body" in area else area, side) for area, side in places]
        in_words = [
            (frozenset(), None)
            for _, concept, meant, refuted, _, _ in self.reasons()
            if not (codings(concept) or meant or refuted)
        ]
        return [*whole, *in_words]

    def relation(self, area, side, places=None):
        """Return how an area lies to the ordered sites: only, among, elsewhere, unknown."""
        places = self.sites() if places is None else places
        if not area or not places:
            return UNKNOWN
        touched = [bool(p & area) and (not side or not s or s == side) for p, s in places]
        whole = [hit and p <= area for hit, (p, _) in zip(touched, places, strict=True)]
        if all(whole):
            return "only"
        if any(touched):
            return "among"
        return "elsewhere" if all(p for p, _ in places) else UNKNOWN


def in_error(one):
    verification = codes(one.get("verificationStatus")) if "verificationStatus" in one else ()
    stated = (one.get("status"), one.get("lifecycleStatus"), one.get("docStatus"))
    return ERROR in verification or ERROR in stated


def newest_day(diagnosis):
    known = [s for s in (diagnosis.recorded, diagnosis.onset) if s]
    return max(known, key=lambda s: s.last, default=None)


def same_thing(one, other):
    """Whether two diagnoses share a code in every system of both, side and region agreeing."""
    mine, theirs = set(one.codings), set(other.codings)
    both = {s for s, _ in mine} & {s for s, _ in theirs}
    if not both or not all(any(s == system for s, _ in mine & theirs) for system in both):
        return False
    if one.side and other.side and one.side != other.side:
        return False
    return not (one.regions and other.regions) or bool(one.regions & other.regions)


def closes(end, told):
    """Whether a diagnosis of the problem list ended on the day an encounter told it, or later."""
    if end.told or not told.told or not end.ended:
        return False
    gone = ("inactive", "remission", "resolved")
    if end.clinical not in gone or told.clinical in gone or not same_thing(end, told):
        return False
    return end.ended.first >= newest_day(told).last


def ended_with(told, end):
    return Diagnosis(**{**vars(told), "clinical": end.clinical, "ended": end.ended})


def same_kind(concept, diagnosis):
    """Whether a reason and a diagnosis mean the same: a code, one below it, or one value set."""
    mine = {(s, plain(s, c)) for s, c in codings(concept)}
    theirs = {(s, plain(s, c)) for s, c in diagnosis.codings}
    alike = bool(sets(concept)) and sets(concept) == diagnosis.sets
    if mine & theirs:
        return True
    if {s for s, _ in mine} & {s for s, _ in theirs}:
        return any(
            s == t == ICD and (a.startswith(b) or b.startswith(a) or (alike and a[:3] == b[:3]))
            for s, a in mine
            for t, b in theirs
        )
    return alike
