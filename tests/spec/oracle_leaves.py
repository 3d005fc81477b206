"""The leaves of the policy vocabulary, each as docs/policy-format.md says it, without haste.

`readings`, `fall`, `medication-decrease`, `other-order`, exposure and doses of medicines, and the
quantities that count planned days are the service's own: written again they would be the same
lines. Their tests stand in tests/unit.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction

from cds_service.evidence.context import LEAVES
from cds_service.evidence.phrases import said
from cds_service.evidence.quantities import QUANTITIES
from cds_service.terminology.systems import CPT
from tests.spec.oracle_chart import (
    ICD,
    MET,
    NOT_MET,
    TERMS,
    UNKNOWN,
    Found,
    after,
    both,
    codes,
    codings,
    items_of,
    plain,
    practitioners,
    regions,
    sets,
    span,
    table,
    told,
    weakest,
    within,
)

CONTENT = "https://massage-cds.example.org/fhir/CodeSystem/document-content"
PLAN_CODES = "https://massage-cds.example.org/fhir/CodeSystem/plan-codes"
GOALS = table("evidence/goals.yaml")
LOCAL = table("evidence/routes.yaml")
BORROWED = ("readings", "fall", "medication-decrease", "other-order")


@dataclass(frozen=True)
class Said:
    """What a question comes to: status, evidence, and the queries that keep it open."""

    status: str
    found: tuple = ()
    holes: frozenset = frozenset()


def names(value):
    return [value] if isinstance(value, str) else list(value or [])


def shown(judged, holes, against=()):
    """Met by one that fits, unknown by a doubtful one or by a hole."""
    judged = list(judged)
    for wanted in (MET, UNKNOWN):
        found = tuple(one for status, one in judged if status == wanted)
        if found:
            return Said(wanted, found, frozenset() if wanted == MET else holes)
    return Said(UNKNOWN, (), holes) if holes else Said(NOT_MET, tuple(against))


# Diagnoses and reasons.


def by_use(diagnosis, use):
    over = diagnosis.clinical in ("inactive", "remission", "resolved")
    if diagnosis.clinical is None and diagnosis.ended:
        over = True
    if use == "history":
        return MET
    if use == "inactive":
        return told(over)
    if use == "safety" or over:
        return told(not over)
    active = diagnosis.clinical in ("active", "recurrence", "relapse")
    return MET if active and not diagnosis.suspected else UNKNOWN


def dated(diagnosis, by):
    if by == "ended":
        return diagnosis.ended or diagnosis.began
    if by == "onset-by-recorded" and diagnosis.recorded and not diagnosis.onset:
        last = diagnosis.recorded.last
        return replace(diagnosis.recorded, first=last - timedelta(days=36500))
    return {"onset": diagnosis.onset, "recorded": diagnosis.recorded}.get(by, diagnosis.began)


def in_span(when, wanted, day):
    if when is None:
        return UNKNOWN
    if when.first > day:
        return NOT_MET
    youngest, oldest = 0, None
    if "older-than" in wanted:
        youngest = int(wanted["older-than"]) + 1
    elif "within" in wanted:
        oldest = int(wanted["within"])
    else:
        youngest, oldest = int(wanted.get("from", 0)), int(wanted["to"]) if "to" in wanted else None
    ages = [(day - min(when.last, day)).days, (day - when.first).days]
    fits = [
        youngest <= age and (oldest is None or age <= oldest) for age in range(ages[0], ages[1] + 1)
    ]
    return MET if all(fits) else UNKNOWN if any(fits) else NOT_MET


def kind_of(diagnosis):
    known = sorted(plain(s, c)[:4] for s, c in diagnosis.codings if s == ICD)
    return known[0] if known else min(diagnosis.codings, default=None)


def near(one, other, days):
    if one is None or other is None:
        return UNKNOWN
    apart = [abs((a - b).days) for a in (one.first, one.last) for b in (other.first, other.last)]
    overlap = one.first <= other.last and other.first <= one.last
    nearest = 0 if overlap else min(apart)
    return MET if max(apart) <= days else NOT_MET if nearest > days else UNKNOWN


def condition(chart, spec):
    wanted, unwanted = set(names(spec.get("in"))), set(names(spec.get("not-in")))
    causes, ends = set(names(spec.get("caused-by"))), set(names(spec.get("ended-by")))
    by, use = spec.get("dated-by", "onset-or-recorded"), spec.get("use", "eligibility")
    every = chart.diagnoses()
    holes = chart.unread("conditions")
    chosen = [
        d
        for d in every
        if (not wanted or d.sets & wanted)
        and not d.sets & unwanted
        and (spec.get("role") != "reason" or d.reason)
        and (not causes or d.causes & causes)
        and (not spec.get("dated") or dated(d, by))
        and (not spec.get("one-sided") or d.side)
        and not any(
            e.began and d.began and e.began.first >= d.began.last for e in every if e.sets & ends
        )
    ]

    def judge(d):
        tests = [by_use(d, use), lately(chart, d, spec)]
        if holes and d.stated:
            tests.append(UNKNOWN)
        if "onset" in spec:
            tests.append(in_span(dated(d, by), spec["onset"], chart.day))
        if spec.get("since") == "anchor":
            tests.append(after(dated(d, by), chart.anchor()))
        if spec.get("at") == "ordered-site":
            where = chart.relation(d.regions, d.side, chart.sites() or chart.places_of_reasons())
            tests.append({"elsewhere": NOT_MET, UNKNOWN: UNKNOWN}.get(where, MET))
        if "region" in spec:
            tests.append(lies_in(d.regions, set(names(spec["region"]))))
        if "beside" in spec:
            others = [o for o in every if o.sets & set(names(spec["beside"]["in"])) and o != d]
            found = [near(dated(d, by), dated(o, by), int(spec["beside"]["days"])) for o in others]
            tests.append(MET if MET in found else UNKNOWN if UNKNOWN in found else NOT_MET)
        return weakest(tests)

    judged = [(judge(d), d) for d in chosen]
    wanted_kinds = int(spec.get("different", 1))
    if len({kind_of(d) for s, d in judged if s == MET}) < wanted_kinds:
        possible = len({kind_of(d) for s, d in judged if s != NOT_MET}) >= wanted_kinds
        most = UNKNOWN if possible else NOT_MET
        judged = [(weakest([status, most]), d) for status, d in judged]
    answer = shown([(status, found(chart, d)) for status, d in judged], holes)
    if (
        answer.status == NOT_MET
        and spec.get("role") == "reason"
        and any(map(vague, chart.reasons()))
    ):
        return Said(UNKNOWN)
    return answer


def lately(chart, d, spec):
    """Whether a diagnosis of an encounter alone is as recent as asked."""
    asked = "told-within" in spec and d.told
    return within(d.told, chart.day, spec["told-within"]) if asked else MET


def lies_in(area, wanted):
    if not area:
        return told("not-known" in wanted)
    return MET if area <= wanted else UNKNOWN if area & wanted else NOT_MET


def found(chart, d):
    day = min(d.began.last, chart.day) if d.began else None
    return Found(d.name, day, d.sets, d.regions, d.side, d.suspected)


def vague(reason):
    """Whether a reason is words alone, or a reference that leads nowhere."""
    _, concept, meant, refuted, _, _ = reason
    return not (codings(concept) or meant or refuted)


def reason(chart, spec):
    every = chart.reasons()
    holes = chart.unread("conditions")
    held = [(r, sets(r[1]).union(*(d.sets for d in r[2]))) for r in every]
    tests = []
    if spec.get("coded"):
        coded = any(any(s for s, _ in codings(r[1])) or any(d.codings for d in r[2]) for r in every)
        tests.append(MET if coded else UNKNOWN if any(r[5] for r in every) else NOT_MET)
    if spec.get("on-file"):
        filed = any(r[2] for r in every)
        tests.append(MET if filed else UNKNOWN if any(r[5] for r in every) else NOT_MET)
    if "system" in spec:
        system = {"icd-10-cm": ICD, "snomed-ct": "http://snomed.info/sct"}[spec["system"]]
        tests.append(told(every and all(system in {s for s, _ in codings(r[1])} for r in every)))
    if "only-in" in spec:
        wanted = set(names(spec["only-in"]))
        others = [r for r, known in held if not vague(r) and not known & wanted]
        if others or not every:
            tests.append(NOT_MET)
        else:
            tests.append(UNKNOWN if any(map(vague, every)) else MET)
    if "in" in spec or spec.get("inactive"):
        wanted = set(names(spec.get("in")))
        chosen = [r for r, known in held if not wanted or known & wanted]
        if spec.get("inactive"):
            chosen = [r for r in chosen if r[2] and all(by_use(d, "inactive") == MET for d in r[2])]
        open_ones = [r for r in every if vague(r) and (r[5] or not spec.get("coded-only"))]
        tests.append(MET if chosen else UNKNOWN if open_ones else NOT_MET)
    status = weakest(tests)
    if status == NOT_MET and holes and (spec.get("on-file") or spec.get("inactive")):
        status = UNKNOWN
    return Said(status, (), holes if status == UNKNOWN else frozenset())


# Numbers: least and most that a quantity can be; None where nobody knows.


def repeat_of(order):
    return order.get("occurrenceTiming", {}).get("repeat", {})


def weekly(order):
    repeat = repeat_of(order)
    if "frequency" not in repeat:
        return None
    return Fraction(repeat["frequency"], repeat["period"])


def units(order):
    quantity = order.get("quantityQuantity")
    return Fraction(str(quantity["value"])) if quantity else None


def weeks(order):
    repeat, limits = repeat_of(order), []
    bounds = repeat.get("boundsPeriod")
    if bounds:
        limits.append(Fraction((span(bounds["end"]).first - span(bounds["start"]).first).days, 7))
    visits = ordered_visits(order)
    if visits and weekly(order):
        limits.append(Fraction(visits[1]) / weekly(order))
    return min(limits, default=None)


def ordered_visits(order):
    """Return least and most: as counted, else how often within the period, last day or not."""
    repeat = repeat_of(order)
    if "count" in repeat:
        return repeat["count"], repeat["count"]
    bounds, often = repeat.get("boundsPeriod"), weekly(order)
    if not (bounds and often):
        return None
    days = (span(bounds["end"]).first - span(bounds["start"]).first).days
    if days <= 0:
        return None
    return max(1, int(often * days / 7)), max(1, -int(-often * (days + 1) // 7))


def by_code(chart, read):
    """Return (least, most) of each code: orders of one code may share visits or follow."""
    found = {}
    for order in chart.orders:
        if (value := read(order)) is not None:
            pair = value if isinstance(value, tuple) else (value, value)
            found.setdefault(frozenset(codes(order["code"])), []).append(pair)
    return [
        (max(Fraction(low) for low, _ in pairs), sum(Fraction(high) for _, high in pairs))
        for pairs in found.values()
    ]


def shared(chart, read):
    """Several codes are given in the same visits."""
    ranges = by_code(chart, read)
    return (max(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else (None, None)


def units_per_visit(chart):
    timed = [o for o in chart.orders if "timed-procedure" in sets(o["code"])]
    ranges = by_code(replace_orders(chart, timed), units)
    if not ranges:
        return None, None
    low, high = sum(r[0] for r in ranges), sum(r[1] for r in ranges)
    return (low, None) if any(units(order) is None for order in timed) else (low, high)


def replace_orders(chart, orders):
    class Fewer:
        pass

    fewer = Fewer()
    fewer.orders = orders
    return fewer


def visits_since(chart, first):
    return Fraction(len([day for day in chart.visits() if day >= first]))


CARE = ("procedures", "encounters")


def quantity(chart, name):
    """Return (least, most, holes) of a quantity, a parameter or a number."""
    if not isinstance(name, str):
        return Fraction(name), Fraction(name), frozenset()
    if name == "order.visits":
        return (*shared(chart, ordered_visits), frozenset())
    if name == "order.per-week":
        return (*shared(chart, weekly), frozenset())
    if name == "order.units-per-visit":
        return (*units_per_visit(chart), frozenset())
    if name == "order.weeks":
        known = max((w for w in map(weeks, chart.orders) if w is not None), default=None)
        return known, known, frozenset()
    counts = {
        "visits.year": lambda: visits_since(
            chart, chart.day - timedelta(days=int(chart.number("benefit-year-days")) - 1)
        ),
        "visits.calendar-year": lambda: visits_since(chart, chart.day.replace(month=1, day=1)),
        "visits.episode": lambda: Fraction(len(chart.episode())),
        "episode.day": lambda: Fraction((chart.day - chart.begin()).days),
    }
    if name in counts:
        holes = chart.unread(*CARE)
        least = counts[name]()
        return least, None if holes else least, holes
    real = QUANTITIES[name].of(chart.context)
    holes = frozenset(hole.key for hole in real.holes)
    if real.value is None:
        return real.low, real.high, holes
    return real.value, None if holes else real.value, holes


def total(chart, spec):
    """Return (least, most, holes) of a sum."""
    parts = [(quantity(chart, spec["of"]), 1)]
    parts += [(quantity(chart, term), 1) for term in terms(spec.get("plus"))]
    parts += [(quantity(chart, term), -1) for term in terms(spec.get("minus"))]
    low = high = Fraction(0)
    holes = frozenset()
    for (least, most, unread), sign in parts:
        ends = (least, most) if sign > 0 else (most, least)
        low = None if low is None or ends[0] is None else low + sign * ends[0]
        high = None if high is None or ends[1] is None else high + sign * ends[1]
        holes |= unread
    return low, high, holes


def terms(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def number(chart, spec):
    word = next(w for w in ("at-most", "at-least", "above", "below", "equals") if w in spec)
    low, high, holes = total(chart, {**spec, "minus": [*terms(spec.get("minus")), spec[word]]})
    over, under = low is not None and low > 0, high is not None and high < 0
    not_over, not_under = high is not None and high <= 0, low is not None and low >= 0
    sure = {
        "at-most": (not_over, over),
        "at-least": (not_under, under),
        "above": (over, not_over),
        "below": (under, not_under),
        "equals": (low == high == 0, over or under),
    }[word]
    status = MET if sure[0] else NOT_MET if sure[1] else UNKNOWN
    return Said(status, (), holes if status == UNKNOWN else frozenset())


# Measures and their change.


def measure_keys(of):
    found = set()
    for name in TERMS.measures_of(of):
        measure = TERMS.measure(name)
        vital = measure.groups & {"vital", "laboratory", "pregnancy"}
        found.add("vitals" if vital else "measures")
        found |= {"exams"} if "exam" in measure.groups else set()
        found |= {"responses"} if measure.questionnaires else set()
    return found


LIMITS = {
    "at-least": lambda value, limit: value >= limit,
    "at-most": lambda value, limit: value <= limit,
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
}


def fits(point, spec):
    if "flagged" in spec and spec["flagged"] not in point.flags:
        return NOT_MET
    if "coded-in" in spec and not set(names(spec["coded-in"])) & point.answers:
        return NOT_MET
    tests = []
    for word, holds in LIMITS.items():
        if word in spec:
            verdicts = {holds(value, Fraction(spec[word])) for value in point.values}
            tests.append(UNKNOWN if len(verdicts) != 1 else told(True in verdicts))
    return weakest(tests)


def previous_order(chart):
    """Return the day of the last order for massage in the episode, by the same performer."""
    ours = {p["reference"] for o in chart.drafts for p in o.get("performer", [])}
    ids = {o["id"] for o in chart.drafts}
    days = []
    for one in chart.of("ServiceRequest"):
        theirs = {p["reference"] for p in one.get("performer", [])}
        day = span(one.get("authoredOn"))
        if (
            one["status"] in ("active", "completed", "on-hold")
            and one["id"] not in ids
            and "massage-procedure" in sets(one["code"])
            and (not theirs or theirs & ours)
            and day
            and chart.anchor()
            and chart.anchor() < day.first < chart.day
        ):
            days.append(day.first)
    return max(days, default=None)


def chosen_points(chart, name, point, points):
    if point == "latest":
        return points[-1:]
    if point == "baseline":
        return chart.baselines(name)[:1]
    if point == "current":
        return chart.current(chart.follow_ups(name) if chart.anchor() else points)
    if point == "new":
        since = previous_order(chart)
        return [m for m in chart.follow_ups(name) if since is None or m.day > since]
    return points


def measure(chart, spec):
    of, point = names(spec["of"]), spec.get("point", "any")
    keys = measure_keys(of)
    anchored = "since" in spec or point in ("baseline", "current", "new")
    if anchored:
        keys |= {*CARE, "conditions"}
    if point == "new":
        keys.add("orders")
    if "ended-by" in spec:
        keys.add("conditions")
    judged, against = [], []
    for name in TERMS.measures_of(of):
        points, doubtful = chart.series(name), chart.preliminary(name)
        if spec.get("use") == "safety":
            points, doubtful = sorted([*points, *doubtful], key=lambda m: m.day), []
        kept = [
            (time_of(chart, m, spec, fits(m, spec)), m)
            for m in chosen_points(chart, name, point, points)
        ]
        met = [m for status, m in kept if status == MET]
        times = int(spec.get("times", 1))
        if times > 1:
            met = far_apart(met, int(spec.get("apart", 1)))
            met = met if len(met) >= times else []
        judged += [(MET, as_found(m)) for m in met]
        if not met:
            unsure = [m for status, m in kept if status == UNKNOWN]
            unsure += [m for m in doubtful if time_of(chart, m, spec, fits(m, spec)) != NOT_MET]
            judged += [(UNKNOWN, as_found(m)) for m in unsure]
        against += [as_found(m) for _, m in kept[-1:]]
    if anchored and chart.anchor() is None and chart.unread(*CARE, "conditions"):
        judged = [(UNKNOWN, found) for _, found in judged]
    return shown(judged, chart.unread(*keys), against)


def time_of(chart, point, spec, status):
    when = span(point.day.isoformat())
    tests = [status, within(when, chart.day, spec.get("within"))]
    if spec.get("since") == "baseline":
        tests.append(told(point.day >= chart.first_baseline_day()))
    if spec.get("since") == "anchor":
        tests.append(after(when, chart.anchor()))
    if "ended-by" in spec:
        sets_ = set(names(spec["ended-by"]))
        ends = [d.began.first for d in chart.diagnoses() if d.sets & sets_ and d.began]
        tests.append(told(all(point.day >= end for end in ends)))
        tests.append(UNKNOWN if chart.unread("conditions") else MET)
    return weakest(tests)


def far_apart(points, apart):
    kept = []
    for point in sorted(points, key=lambda m: m.day, reverse=True):
        if not kept or (kept[-1].day - point.day).days >= apart:
            kept.append(point)
    return kept


def as_found(point):
    return Found(point.name, point.day, point.answers, suspected=not point.final)


def least(chart, measure_, size):
    if size == "any":
        return Fraction(0)
    if isinstance(size, dict):
        whole = least(chart, measure_, "mcid")
        return None if whole is None else whole * Fraction(size["mcid-share"])
    name = measure_.mic if size == "mic" and measure_.mic else measure_.mcid
    return chart.numbers.get(name) if name else None


def pairs(base, point):
    if len(base.values) == len(point.values):
        return list(zip(base.values, point.values, strict=True))
    return [(b, p) for b in base.values for p in point.values]


def agreed(verdicts):
    verdicts = set(verdicts)
    return MET if verdicts == {True} else NOT_MET if verdicts == {False} else UNKNOWN


def gained(chart, measure_, base, point, size, sign):
    """Whether a value is better (1) or worse (-1) than the other by so much."""
    if measure_.better not in ("lower", "higher"):
        return UNKNOWN
    down = -1 if measure_.better == "lower" else 1
    gains = [sign * down * (p - b) for b, p in pairs(base, point)]
    if isinstance(size, dict) and "percent" in size:
        share, verdicts = Fraction(size["percent"]) / 100, []
        raw = measure_.raw_ideal is not None
        scale = [(base.raw, point.raw)] if raw else pairs(base, point)
        ideal = measure_.raw_ideal if raw else measure_.ideal
        for gain, (b, p) in zip(gains, scale, strict=False):
            if ideal is None or b is None or p is None or b == ideal:
                known = gain <= 0 and measure_.ideal is None
                verdicts.append(False if known else None)
            else:
                verdicts.append(sign * (p - b) / (ideal - b) >= share)
        return agreed(verdicts)
    limit = least(chart, measure_, size)
    if limit is None:
        return UNKNOWN
    return agreed(gain >= limit if limit else gain > 0 for gain in gains)


def verdict(chart, spec, measure_, base, point):
    if "better-by" in spec:
        return gained(chart, measure_, base, point, spec["better-by"], 1)
    if "worse-by" in spec:
        return gained(chart, measure_, base, point, spec["worse-by"], -1)
    if "short-of" in spec:
        return turned(gained(chart, measure_, base, point, spec["short-of"], 1))
    size = spec.get("unchanged", True)
    changes = [abs(p - b) for b, p in pairs(base, point)]
    if size is True:
        return agreed(change == 0 for change in changes)
    limit = least(chart, measure_, size)
    return UNKNOWN if limit is None else agreed(change < limit for change in changes)


def turned(status):
    return {MET: NOT_MET, NOT_MET: MET}.get(status, status)


def base_for(chart, name, point, spec):
    """Return what a value is compared with."""
    against = "previous" if spec.get("point") == "latest-two" else spec.get("against", "baseline")
    starts = chart.baselines(name)
    if against == "baseline":
        return next((b for b in starts if b.day < point.day and b.values and point.values), None)
    first = starts[0].day if starts else chart.begin()
    earlier = [m for m in chart.series(name) if first <= m.day < point.day and m.values]
    if against == "previous":
        latest = point.day - timedelta(days=int(spec.get("apart", 1)))
        return next((m for m in reversed(earlier) if m.day <= latest), None)
    lower = TERMS.measure(name).better == "lower"
    best = min if lower else max
    return best(earlier, key=lambda m: m.values, default=None)


def series_change(chart, name, spec):
    """Return (status, evidence) for one measure; None when it was not measured again."""
    measure_, anchor = TERMS.measure(name), chart.begin()
    days, point = spec.get("days") or {}, spec.get("point", "current")
    points = [
        m
        for m in chart.follow_ups(name)
        if int(days.get("from", -99999)) <= (m.day - anchor).days <= int(days.get("to", 99999))
    ]
    lasting = int(spec["lasting"]) if "lasting" in spec else None
    if point == "current" and not chart.current(points):
        chosen = []
    elif point == "any" or lasting is not None:
        chosen = points
    else:
        chosen = points[-1:]
    compared = [(base_for(chart, name, m, spec), m) for m in chosen]
    judged = [(b, m) for b, m in compared if b]
    if point == "latest-two":
        judged = [(b, m) for b, last in judged for m in points if b.day < m.day <= last.day]
    told_ = [(verdict(chart, spec, measure_, b, m), m) for b, m in judged]
    if told_ and lasting is not None:
        return lasted(told_, lasting, newest=point != "any")
    if told_:
        statuses = [status for status, _ in told_]
        ranks = (NOT_MET, UNKNOWN, MET) if point == "latest-two" else (MET, UNKNOWN, NOT_MET)
        status = next(s for s in ranks if s in statuses)
        return status, [m for s, m in told_ if s == status]
    against = "previous" if point == "latest-two" else spec.get("against", "baseline")
    based = [m for b, m in compared if not b and against == "baseline" and chart.baselines(name)]
    doubtful = [*based, *(m for m in chart.preliminary(name) if m.day > anchor)]
    return (UNKNOWN, doubtful) if doubtful else None


def lasted(judged, days, newest):
    for kept, status in (((MET,), MET), ((MET, UNKNOWN), UNKNOWN)):
        held = [m for s, m in judged if s in kept]
        if not held or (newest and held[-1] is not judged[-1][1]):
            continue
        if (held[-1].day - held[0].day).days >= days:
            return status, [held[0], held[-1]]
    return NOT_MET, [judged[-1][1]]


def progress(chart, spec):
    of = names(spec["of"])
    holes = chart.unread(*measure_keys(of), *CARE)
    changes = [series_change(chart, name, spec) for name in TERMS.measures_of(of)]
    found = [change for change in changes if change]
    every = spec.get("quantifier") == "all"
    if every and found:
        status = weakest(status for status, _ in found)
        found = [(status, points) for _, points in found]
    if every or "short-of" in spec or "unchanged" in spec:
        found = [(UNKNOWN if s == MET and holes else s, points) for s, points in found]
    judged = [(status, as_found(point)) for status, points in found for point in points]
    return shown(judged, holes, [point for _, point in judged])


# Goals, plans, programs, documents.


def seen(one, when):
    day = when.first if when and when.first == when.last else None
    return Found(f"{one['resourceType']}/{one['id']}", day)


def goal(chart, spec):
    holes = chart.unread("goals", *(CARE if "started" in spec else ()))
    found = []
    for one in chart.of("Goal"):
        if one["lifecycleStatus"] in ("cancelled", "rejected") or of_other_care(chart, one):
            continue
        kept = goal_kept(chart, one, spec)
        if kept != NOT_MET:
            start = span(one.get("startDate"))
            found.append((weakest([kept, goal_asked(chart, one, spec)]), seen(one, start)))
    if spec.get("which") == "all" and found:
        status = weakest(status for status, _ in found)
        found = [(UNKNOWN if status == MET and holes else status, one) for _, one in found]
    return shown(found, holes)


def of_other_care(chart, one):
    """Tell a goal that only diets, weights, laboratory values or other diagnoses speak of."""
    categories = codes(*one.get("category", []))
    if any(system == PLAN_CODES for system, _ in codings(*one.get("category", []))):
        return False
    if categories and categories <= {"dietary", "safety", "nursing"}:
        return True
    aims = [t.get("measure", {}) for t in one.get("target", [])] + [one.get("description", {})]
    measured = TERMS.measures_coded(codings(*aims))
    if measured and all(set(m.groups) <= {"vital", "laboratory"} for m in measured):
        return True
    named = [a["reference"] for a in one.get("addresses", []) if "reference" in a]
    found = [chart.resolve({"reference": name}) for name in named]
    if not found or any(not f or f["resourceType"] != "Condition" for f in found):
        return False
    meant = {r["reference"] for o in chart.orders for r in o.get("reasonReference", [])}
    stated = [c for o in chart.orders for c in o.get("reasonCode", [])]
    addressed = [f["code"] for f in found]
    same = set(named) & meant or set(codings(*addressed)) & set(codings(*stated))
    return not same and not sets(*addressed) & set(GOALS["treated"])


def goal_kept(chart, one, spec):
    wanted = set(names(spec.get("category")))
    if wanted and not wanted & codes(*one.get("category", [])):
        words_alone = not one.get("category") and not one.get("target")
        if not (spec.get("uncoded") and words_alone):
            return NOT_MET
        doubtful = {name: value for name, value in spec.items() if name != "category"}
        return weakest([UNKNOWN, goal_kept(chart, one, doubtful)])
    if "started" not in spec:
        return MET
    start, anchor = span(one.get("startDate")), chart.anchor()
    doubt = UNKNOWN if chart.unread(*CARE) else None
    begun = or_doubt(after(start, anchor), doubt)
    if spec["started"] == "since-care":
        return begun
    earliest = anchor and anchor - timedelta(days=int(chart.number("episode-gap-days")) + 1)
    ours = or_doubt(after(start, earliest), doubt) if anchor else doubt or MET
    return ours if spec["started"] == "this-course" else weakest([ours, turned(begun)])


def or_doubt(status, doubt):
    """A visit that was not read could only come before the first one that was."""
    return doubt or status if status == NOT_MET else status


def goal_asked(chart, one, spec):
    wanted, reached = set(names(spec.get("achievement"))), codes(one.get("achievementStatus"))
    if wanted and not wanted & reached:
        return NOT_MET
    if spec.get("open") and (one["lifecycleStatus"] == "completed" or "achieved" in reached):
        return NOT_MET
    if not ({"measurable", "dated", "due"} & set(spec)):
        return MET
    verdicts = []
    for target in one.get("target", []):
        measurable = "measure" in target and "detailQuantity" in target
        due = span(target.get("dueDate"))
        if (spec.get("measurable") and not measurable) or (spec.get("dated") and not due):
            continue
        limit = (spec.get("due") or {}).get("within")
        if limit is None:
            verdicts.append(MET)
        elif due:
            last = chart.day + timedelta(days=int(limit))
            verdicts.append(told(chart.day <= due.first <= last))
    return MET if MET in verdicts else NOT_MET


def plan(chart, spec):
    found = []
    for one in chart.of("CarePlan"):
        end = span(one.get("period", {}).get("end"))
        if one["status"] != "active" or (end and end.last < chart.day):
            continue
        details = [a["detail"] for a in one.get("activity", [])]
        named = codes(*one.get("category", [])) | sets(*one.get("category", []))
        tests = []
        if "category" in spec:
            tests.append(told(named & set(names(spec["category"]))))
        if "activity" in spec:
            held = set().union(*(codes(d["code"]) | sets(d["code"]) for d in details))
            tests.append(told(held & set(names(spec["activity"]))))
        if spec.get("ends"):
            tests.append(told(end))
        if spec.get("follow-up"):
            planned = [d for d in details if "follow-up-assessment" in codes(d["code"])]
            dates = [span(d.get("scheduledPeriod", {}).get("end")) for d in planned]
            ahead = any(d and d.last >= chart.day for d in dates)
            tests.append(MET if ahead else UNKNOWN if None in dates else NOT_MET)
        found.append((weakest(tests), seen(one, span(one.get("period", {}).get("start")))))
    return shown(found, chart.unread("plans"))


def program(chart, spec):
    found = []
    for one in (*chart.of("Flag"), *chart.of("CarePlan"), *chart.of("EpisodeOfCare")):
        concepts = [one["code"]] if "code" in one else one.get("category", [])
        for name in names(spec["is"]):
            entry = table("evidence/programs.yaml")[name]
            listed = {(each["system"], each["code"]) for each in entry["codes"]}
            texts = [concept.get("text", "") for concept in concepts]
            titled = any(re.search(rf"\b{title}\b", t) for title in entry["titles"] for t in texts)
            titled = titled or any(t.strip() in entry["alone"] for t in texts)
            if (listed & set(codings(*concepts)) or titled) and one["status"] == "active":
                found.append((in_period(one.get("period", {}), chart.day), Found(name)))
    return shown(found, chart.unread("flags", "plans", "episodes"))


def in_period(period, day):
    start, end = span(period.get("start")), span(period.get("end"))
    begun = both(start.first <= day, start.last <= day) if start else MET
    lasts = both(day <= end.first, day <= end.last) if end else MET
    return weakest([begun, lasts])


def documents(chart):
    """Return (document, days) of the current documents up to the order's date."""
    for one in chart.of("DocumentReference"):
        period = one.get("context", {}).get("period", {})
        when = span(period.get("start") or period.get("end") or one.get("date"))
        if one["status"] == "current" and (when is None or when.first <= chart.day):
            yield one, when


def contents(one):
    return {code for system, code in codings(*one.get("category", [])) if system == CONTENT}


def first_measured(chart):
    """Return the first day on which any measure has its baseline; None before care began."""
    if chart.anchor() is None:
        return None
    measures = {m.measure for m in chart.measurements()}
    return min((b[0].day for b in map(chart.baselines, measures) if b), default=None)


def document_fits(chart, one, when, spec):
    kinds = sets(one["type"]) | {c for s, c in codings(one["type"]) if s == "http://loinc.org"}
    if "type" in spec and not kinds & set(names(spec["type"])):
        return NOT_MET
    if spec.get("coded") and not contents(one):
        return NOT_MET
    tests = [within(when, chart.day, spec.get("within"))]
    if spec.get("signed"):
        signed = {"final": MET, "amended": MET, "preliminary": NOT_MET}
        tests.append(signed.get(one.get("docStatus"), UNKNOWN))
    if "about" in spec:
        about = sets(*one.get("category", []), *one.get("context", {}).get("event", []))
        tests.append(MET if about & set(names(spec["about"])) else NOT_MET if about else UNKNOWN)
    if "since" in spec:
        since = first_measured(chart) if spec["since"] == "baseline" else chart.anchor()
        tests.append(after(when, since))
    if "days" in spec:
        anchor = chart.anchor()
        first, last = int(spec["days"]["from"]), int(spec["days"]["to"])
        inside = anchor and when and first <= (when.first - anchor).days <= last
        tests.append(UNKNOWN if anchor and when is None else told(inside))
    return weakest(tests)


def document(chart, spec):
    since = spec.get("since")
    keys = ["documents", *(CARE if since or spec.get("each-visit") else ())]
    keys += ["measures", "responses"] if since == "baseline" else []
    holes, wanted = chart.unread(*keys), set(names(spec.get("content")))
    judged = [(document_fits(chart, one, when, spec), one, when) for one, when in documents(chart)]
    kept = [(status, one, when) for status, one, when in judged if status != NOT_MET]
    if spec.get("each-visit"):
        return each_visit(chart, kept, wanted, holes)
    found = []
    for status, one, when in kept:
        held = MET if wanted <= contents(one) else NOT_MET if contents(one) else UNKNOWN
        found.append((weakest([status, held]), seen(one, when)))
    return shown(found, holes)


def each_visit(chart, kept, wanted, holes):
    statuses = []
    for day in chart.episode():
        here = [(s, one) for s, one, when in kept if when and when.first == when.last == day]
        sure = set().union(*(contents(one) for s, one in here if s == MET))
        if here and any(s == MET for s, _ in here) and wanted <= sure:
            statuses.append(MET)
        elif not here or all(s == MET and contents(one) for s, one in here):
            statuses.append(NOT_MET)
        else:
            statuses.append(UNKNOWN)
    if not statuses or NOT_MET in statuses:
        return Said(UNKNOWN, (), holes) if holes else Said(NOT_MET)
    return Said(UNKNOWN, (), holes) if holes or UNKNOWN in statuses else Said(MET)


# Care: encounters, procedures, services, medicines, allergies, the family.


def encounter_kinds(one):
    return sets(*one.get("type", []), {"coding": [one["class"]]})


def told_at(one, encounter):
    """Whether a confirmed diagnosis of an encounter alone names that encounter."""
    return (
        one.get("encounter", {}).get("reference") == encounter
        and codes(*one.get("category", [])) == {"encounter-diagnosis"}
        and codes(one.get("verificationStatus")) in (set(), {"confirmed"})
    )


def encounter_reasons(chart, one):
    named = [chart.resolve(d["condition"]) for d in one.get("diagnosis", [])]
    named += [c for c in chart.of("Condition") if told_at(c, f"Encounter/{one['id']}")]
    diagnoses = sets(*(c["code"] for c in named if c))
    return sets(*one.get("reasonCode", [])) | diagnoses, diagnoses


def encounters(chart):
    for one in chart.of("Encounter"):
        when = span(one["period"].get("start"))
        if one["status"] not in ("cancelled", "unknown") and when.first <= chart.day:
            yield one, when


def encounter(chart, spec):
    since = spec.get("since")
    keys = ["encounters", *(["procedures"] if since else [])]
    keys += ["conditions"] if "reason-in" in spec or "diagnosis-in" in spec else []
    keys += ["measures", "responses"] if since == "baseline" else []
    status = {"finished": {"finished"}, "current": {"arrived", "triaged", "in-progress", "onleave"}}
    allowed = status.get(spec.get("status", "finished"))
    found = []
    for one, when in encounters(chart):
        people = [p["individual"]["reference"] for p in one.get("participant", [])]
        met = [practitioners(chart, name) for name in people]
        reasons, diagnoses = encounter_reasons(chart, one)
        known = {
            "in": encounter_kinds(one),
            "reason-in": reasons,
            "diagnosis-in": diagnoses,
            "with-role": set().union(*(roles for _, roles in met)),
        }
        if any(word in spec and not held & set(names(spec[word])) for word, held in known.items()):
            continue
        if allowed and one["status"] not in allowed:
            continue
        tests = [within(when, chart.day, spec.get("within"))]
        if spec.get("with") == "requester":
            ours = [practitioners(chart, o["requester"]["reference"])[0] for o in chart.drafts]
            theirs = set().union(*(names_ for names_, _ in met))
            same = theirs & set().union(*ours)
            tests.append(MET if same else NOT_MET if theirs and any(ours) else UNKNOWN)
        if since:
            day = first_measured(chart) if since == "baseline" else chart.anchor()
            tests.append(after(when, day))
        found.append((weakest(tests), seen(one, when)))
    return shown(found, chart.unread(*keys))


def procedure(chart, spec):
    found = []
    for one in chart.of("Procedure"):
        when = span(one["performedDateTime"])
        held = sets(one["code"])
        if (
            one["status"] != "completed"
            or not held & set(names(spec["in"]))
            or when.first > chart.day
        ):
            continue

        area, side = regions(*one.get("bodySite", []))
        tests = [within(when, chart.day, spec.get("within"))]
        if spec.get("at") == "ordered-site":
            where = chart.relation(area, side)
            tests.append({"elsewhere": NOT_MET, UNKNOWN: UNKNOWN}.get(where, MET))
        name = f"Procedure/{one['id']}"
        found.append((weakest(tests), Found(name, when.first, held, area, side)))
    return shown(found, chart.unread("procedures"))


def service(chart, spec):
    held = []
    for one, when in encounters(chart):
        if one["status"] in ("finished", "in-progress", "onleave", "triaged"):
            held.append((one, encounter_kinds(one), when))
    for one in chart.of("Procedure"):
        if one["status"] in ("completed", "in-progress"):
            held.append((one, sets(one["code"]), span(one["performedDateTime"])))
    drafts = {order["id"] for order in chart.drafts}
    for one in chart.of("ServiceRequest"):
        if one["status"] in ("active", "completed", "on-hold") and one["id"] not in drafts:
            period = one.get("occurrencePeriod", {})
            when = span(one.get("authoredOn") or period.get("start") or period.get("end"))
            held.append((one, sets(one["code"]), when))
    found = []
    for one, kinds, when in held:
        if not kinds & set(names(spec["in"])) or (when and when.first > chart.day):
            continue
        tests = [within(when, chart.day, spec.get("within"))]
        if spec.get("before-order"):
            tests.append(told(when.first < chart.day) if when else UNKNOWN)
        found.append((weakest(tests), seen(one, when)))
    return shown(found, chart.unread("encounters", "procedures", "orders"))


def local(one):
    """Whether a medicine is of skin, eye, ear, nose or airways by its route, else by its name."""
    routes = [dose["route"] for dose in one.get("dosageInstruction", []) if "route" in dose]

    def says(concept):
        words = concept.get("text", "").lower().replace(",", " ").split()
        return bool(set(words) & set(LOCAL["words"]) or sets(concept) & set(LOCAL["routes"]))

    return all(map(says, routes)) if routes else says(one["medicationCodeableConcept"])


def medication(chart, spec):
    if "for" in spec or "daily-mg" in spec:
        return borrowed(chart, "medication", spec)
    found = []
    for one in chart.of("MedicationRequest"):
        when, held = span(one.get("authoredOn")), sets(one["medicationCodeableConcept"])
        repeats = [d["timing"]["repeat"] for d in one.get("dosageInstruction", []) if "timing" in d]
        ends = [span(r["boundsPeriod"]["end"]).last for r in repeats if "boundsPeriod" in r]
        active = one["status"] == "active" and (not ends or max(ends) >= chart.day)
        if one["status"] not in ("active", "stopped", "completed", "on-hold"):
            continue
        if not held & set(names(spec["in"])) or held & set(names(spec.get("not-in"))):
            continue
        if spec.get("systemic") and local(one):
            continue
        if (when and when.first > chart.day) or (spec.get("active") and not active):
            continue
        begun = MET if active else within(when, chart.day, spec.get("within"))
        last = [within(span(end.isoformat()), chart.day, spec.get("within")) for end in ends]
        status = MET if MET in last else begun
        day = when.first if when else None
        found.append((status, Found(f"MedicationRequest/{one['id']}", day)))
    return shown(found, chart.unread("medications"))


def allergy(chart, spec):
    found = []
    for one in chart.of("AllergyIntolerance"):
        verification = codes(one.get("verificationStatus"))
        over = codes(one.get("clinicalStatus")) & {"inactive", "resolved"}
        held = sets(one["code"])
        when = span(one.get("onsetDateTime") or one.get("recordedDate"))
        late = when and when.first > chart.day
        if over or late or "refuted" in verification or not held & set(names(spec["in"])):
            continue
        day = min(when.last, chart.day) if when else None
        suspected = bool(verification - {"confirmed"})
        name = f"AllergyIntolerance/{one['id']}"
        found.append((MET, Found(name, day, held, suspected=suspected)))
    return shown(found, chart.unread("allergies"))


def family_history(chart, spec):
    found = []
    for one in chart.of("FamilyMemberHistory"):
        when = span(one.get("date"))
        if one["status"] not in ("partial", "completed") or (when and when.first > chart.day):
            continue
        for illness in one.get("condition", []):
            held = sets(illness["code"])
            if held & set(names(spec["in"])):
                found.append((MET, Found(f"FamilyMemberHistory/{one['id']}", None, held)))
    return shown(found, chart.unread("family"))


# People, orders, coverage, forms.


def in_roles(chart, people, wanted, selves):
    """Whether one of the people named holds a role; unknown when none is named or described."""
    statuses = []
    for reference in people:
        if reference.startswith("Patient/"):
            statuses.append(told(selves))
            continue
        _, held = practitioners(chart, reference)
        only_self = selves and not wanted
        statuses.append(MET if held & wanted else NOT_MET if held or only_self else UNKNOWN)
    if MET in statuses:
        return Said(MET)
    return Said(UNKNOWN if not statuses or UNKNOWN in statuses else NOT_MET)


def performer(chart, spec):
    people = [p["reference"] for o in chart.orders for p in o.get("performer", [])]
    return in_roles(chart, people, set(names(spec["in"])), selves=False)


def requester(chart, spec):
    people = [o["requester"]["reference"] for o in chart.orders if "requester" in o]
    return in_roles(chart, people, set(names(spec.get("in"))), bool(spec.get("self")))


def words(order):
    return {"note": [note["text"] for note in order.get("note", [])]}


def states(chart, name):
    """Whether the orders state a detail."""
    timed = [o for o in chart.orders if "timed-procedure" in sets(o["code"])]
    tests = {
        "reason": lambda o: o.get("reasonCode") or o.get("reasonReference"),
        "site": lambda o: o.get("bodySite"),
        "visits": ordered_visits,
        "frequency": weekly,
        "end": lambda o: repeat_of(o).get("boundsPeriod", {}).get("end"),
        "performer": lambda o: o.get("performer"),
        "order-text": lambda o: o.get("note"),
    }
    if name == "units":
        return bool(timed) and all(units(order) is not None for order in timed)
    return any(map(tests[name], chart.orders))


def order(chart, spec):
    tests = [states(chart, name) for name in names(spec.get("has"))]
    if "code-in" in spec:
        signed = {c for o in chart.drafts for s, c in codings(o["code"]) if s == CPT}
        tests.append(signed & set(names(spec["code-in"])))
    phrases = [*names(spec.get("note")), *(f"type-{n}" for n in names(spec.get("type-of-service")))]
    tests += [any(said(name, words(o)) for o in chart.orders) for name in phrases]
    if "category-in" in spec:
        wanted = set(names(spec["category-in"]))
        tests.append(any(sets(*o.get("category", [])) & wanted for o in chart.orders))
    status = told(all(tests))
    if "site-in" in spec and status == MET:
        return borrowed(chart, "order", {"site-in": spec["site-in"]})
    return Said(status)


def coverage(chart, spec):
    if spec.get("which") == "any" or chart.coverage is None:
        return borrowed(chart, "coverage", spec)
    one, holes = chart.coverage, chart.unread("coverage")
    line, kinds = one.line_of_business, codes(chart.insurance.get("type"))
    tests = []
    if "line-of-business" in spec:
        tests.append(told(line in names(spec["line-of-business"])) if line else UNKNOWN)
    if "medicare" in spec:
        sopt = {c for s, c in codings(chart.insurance.get("type")) if s == "https://nahdo.org/sopt"}
        sopt -= {"7", "71", "72", "73", "79", "9", "98", "99", "9999", "zzz", "ZZZ"}
        plans = bool(sopt & {"1", "11", "12", "14", "141", "523"})
        medicare = plans or line in ("medicare-advantage", "medicare")
        known = medicare or sopt or line
        tests.append(told(medicare is spec["medicare"]) if known else UNKNOWN)
    if "type" in spec:
        tests.append(told(kinds & set(names(spec["type"]))) if kinds else UNKNOWN)
    if spec.get("in-force"):
        tests.append(in_period(chart.insurance.get("period", {}), chart.day))
    status = weakest(tests)
    return Said(status, (), holes if status == UNKNOWN else frozenset())


def newest_form(chart, name):
    """Return (form, answers) of the newest completed form of a questionnaire."""
    forms = []
    for one in chart.of("QuestionnaireResponse"):
        canonical = one["questionnaire"].split("|")[0]
        known = {canonical, canonical.rsplit("/", 1)[-1]}
        when = span(one["authored"])
        if one["status"] in ("completed", "amended") and name in known and when.first <= chart.day:
            forms.append((when.first, one))
    if not forms:
        return None, {}
    newest = max(day for day, _ in forms)
    form_ = next(one for day, one in forms if day == newest)
    return form_, {item["linkId"]: answer_of(item) for item in items_of(form_)}


def answer_of(item):
    """Return yes, no, or another word; None when there is no answer or it is not known."""
    for given in item.get("answer", []):
        if "valueBoolean" in given:
            return "yes" if given["valueBoolean"] else "no"
        if "valueCoding" in given:
            code = given["valueCoding"]["code"]
            return None if code == "unknown" else code
        return next(iter(map(str, given.values())), None)
    return None


def ask_form(chart, name, spec, limit):
    holes = chart.unread("responses")
    one, answers = newest_form(chart, name)
    if one is None:
        return Said(UNKNOWN, (), holes) if holes else Said(NOT_MET)
    asked = names(spec.get("item")) or [link for link, word in answers.items() if word]
    given = [answers.get(link) for link in asked]
    wanted, fit = spec.get("answer"), True
    if spec.get("all-answered"):
        every = given if spec.get("item") else answers.values()
        fit = all(every)
    if wanted == "yes":
        fit = fit and "yes" in given
    elif wanted == "no":
        fit = fit and bool(asked) and all(word == "no" for word in given)
    elif wanted == "any":
        fit = fit and any(given)
    day = span(one["authored"])
    age = within(day, chart.day, limit)
    if not fit or age == NOT_MET:
        return Said(UNKNOWN, (), holes) if holes else Said(NOT_MET)
    return Said(MET, (Found(f"QuestionnaireResponse/{one['id']}", day.first),))


def form(chart, spec):
    return ask_form(chart, spec["questionnaire"], spec, spec.get("within"))


def screen(chart, spec):
    return ask_form(chart, "massage-safety-screen", spec, chart.number("screen-days"))


def borrowed(chart, word, spec):
    """Ask the service's own leaf."""
    answer = LEAVES[word].make(spec)(chart.context)
    found_ = tuple(
        Found(f.reference, f.day, f.value_sets, f.regions, f.side, f.suspected)
        for f in answer.findings
    )
    return Said(answer.status.value, found_, frozenset(hole.key for hole in answer.holes))


OWN = {
    "condition": condition,
    "reason": reason,
    "number": number,
    "measure": measure,
    "progress": progress,
    "goal": goal,
    "plan": plan,
    "program": program,
    "document": document,
    "encounter": encounter,
    "procedure": procedure,
    "service": service,
    "medication": medication,
    "allergy": allergy,
    "family-history": family_history,
    "performer": performer,
    "requester": requester,
    "order": order,
    "coverage": coverage,
    "form": form,
    "screen": screen,
}


def ask_leaf(chart, word, spec):
    """Ask one leaf; a word that is not rewritten here is asked of the service."""
    if word in OWN:
        return OWN[word](chart, spec)
    assert word in BORROWED, f"the slow evaluator does not know the leaf {word}"
    return borrowed(chart, word, spec)
